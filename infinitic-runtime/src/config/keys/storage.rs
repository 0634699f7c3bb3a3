//! Keys of `storage`.

use super::{Keys, Taken, key};

const SECTION: &str = "a mapping of keys";
const TABLES: &str = "there are other tables than in the JVM version; write `tablePrefix`";

const POOL: &str = "connections stay open, and one that fails is replaced; remove it";

const HOST: Taken = key(
    "host",
    "a host, such as localhost",
    "must be given, or `url`",
    "The host.",
);
const USERNAME: Taken = key("username", "a text", "must be given, or `url`", "The user.");
const PASSWORD: Taken = key("password", "a text", "none", "The password. Never printed.");
const TABLE_PREFIX: Taken = key(
    "tablePrefix",
    "1 to 40 letters, digits and `_`, beginning with a letter, such as infinitic_",
    "infinitic_",
    "What the names of our tables begin with.",
);
const POOL_MAX: Taken = key(
    "maximumPoolSize",
    "a whole number from 1 to 1000, such as 8",
    "8",
    "Connections at most.",
);
const CALL_TIMEOUT: Taken = key(
    "connectionTimeout",
    "a whole number of milliseconds, at least 100, such as 10000",
    "10000",
    "Limit of one call, waiting for a connection included, in milliseconds. What fails is \
    repeated.",
);
const SSL: Taken = key(
    "ssl",
    "one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
    "prefer",
    "Whether the connection is encrypted, and how much of the certificate is checked.",
);
const SSL_ROOT: Taken = key(
    "sslRootCert",
    "the path of a PEM file, such as ./ca.pem",
    "the public authorities",
    "The authority that signed the server's certificate. Only where that is checked: with `ssl` \
     `verify-ca` or `verify-full`; for Redis with `ssl` or `rediss://`.",
);

const REFUSED_BY_SQL: &[(&str, &str)] = &[
    ("keySetTable", TABLES),
    ("keyValueTable", TABLES),
    ("minimumIdle", POOL),
    ("idleTimeout", POOL),
    ("maxLifetime", POOL),
];

pub(in crate::config) const STORAGE: Keys = Keys {
    section: "storage",
    taken: &[
        key("postgres", SECTION, "none", "PostgreSQL."),
        key("mysql", SECTION, "none", "MySQL or MariaDB."),
        key(
            "redis",
            SECTION,
            "none",
            "Redis, with a synced append-only file.",
        ),
        key(
            "inMemory",
            "nothing, or `{}`",
            "none",
            "The memory of this process; only with `transport.inMemory`, where it changes nothing.",
        ),
    ],
    refused: &[
        (
            "compression",
            "not available yet in this version: values are stored as they are; remove it",
        ),
        (
            "cache",
            "states of open instances stay in memory by themselves, and are never stale; bound \
             them with `worker.cachedInstances`",
        ),
    ],
};

/// Of `inMemory`.
pub(in crate::config) const NOTHING: Keys = Keys {
    section: "storage.inMemory",
    taken: &[],
    refused: &[],
};

pub(in crate::config) const POSTGRES: Keys = Keys {
    section: "storage.postgres",
    taken: &[
        key(
            "url",
            "an address, such as postgres://user:password@localhost:5432/database",
            "built from the keys below",
            "The server, the user and the database in one. Never printed.",
        ),
        HOST,
        key(
            "port",
            "a whole number from 1 to 65535, such as 5432",
            "5432",
            "The port.",
        ),
        USERNAME,
        PASSWORD,
        key(
            "database",
            "a text",
            "postgres",
            "The database. It must exist.",
        ),
        key(
            "schema",
            "1 to 60 letters, digits and `_`, beginning with a letter, such as infinitic",
            "that of the connection",
            "The schema of our tables. Created when missing.",
        ),
        TABLE_PREFIX,
        POOL_MAX,
        CALL_TIMEOUT,
        SSL,
        SSL_ROOT,
    ],
    refused: REFUSED_BY_SQL,
};

pub(in crate::config) const MYSQL: Keys = Keys {
    section: "storage.mysql",
    taken: &[
        key(
            "url",
            "an address, such as mysql://user:password@localhost:3306/database",
            "built from the keys below",
            "The server, the user and the database in one. Never printed.",
        ),
        HOST,
        key(
            "port",
            "a whole number from 1 to 65535, such as 3306",
            "3306",
            "The port.",
        ),
        USERNAME,
        PASSWORD,
        key(
            "database",
            "a text",
            "infinitic",
            "The database. It must exist.",
        ),
        TABLE_PREFIX,
        POOL_MAX,
        CALL_TIMEOUT,
        SSL,
        SSL_ROOT,
    ],
    refused: REFUSED_BY_SQL,
};

pub(in crate::config) const REDIS: Keys = Keys {
    section: "storage.redis",
    taken: &[
        key(
            "url",
            "an address, such as redis://user:password@localhost:6379/0 (rediss:// with TLS)",
            "built from the keys below",
            "The server, the user and the database in one. Never printed.",
        ),
        key(
            "host",
            "a host, such as localhost",
            "must be given, or `url`",
            "The host.",
        ),
        key(
            "port",
            "a whole number from 1 to 65535, such as 6379",
            "6379",
            "The port.",
        ),
        key("username", "a text", "none", "The user."),
        PASSWORD,
        key(
            "database",
            "a whole number from 0 to 1000, such as 0",
            "0",
            "The database.",
        ),
        key(
            "ssl",
            "`true` or `false`",
            "false",
            "Whether the connection is encrypted (TLS).",
        ),
        SSL_ROOT,
        key(
            "timeout",
            "a whole number of milliseconds, at least 100, such as 5000",
            "5000",
            "Limit of one call, connecting included, in milliseconds. What fails is repeated.",
        ),
        key(
            "keyPrefix",
            "1 to 64 letters, digits and `-_.:`, such as infinitic",
            "infinitic",
            "What our keys begin with.",
        ),
        key(
            "waitReplicas",
            "a whole number from 0 to 100, such as 1",
            "0",
            "How many replicas must have a commit before it counts as written.",
        ),
        key(
            "waitAof",
            "`true` or `false`",
            "false",
            "Whether a commit counts as written only once the append-only file is synced. For a \
             server with `appendfsync everysec`; from Redis 7.2.",
        ),
    ],
    refused: &[(
        "poolConfig",
        "one connection carries all calls at the same time; remove it",
    )],
};
