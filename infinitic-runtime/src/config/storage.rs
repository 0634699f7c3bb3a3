//! `storage`: the database that workers on a broker share.

use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Keys, MYSQL, NOTHING, POSTGRES, REDIS, STORAGE};
use super::reader::Section;
use super::secret::Secret;
use super::transport::{TransportConfig, TransportKind};

/// The keys of which one is chosen.
const KINDS: [&[&str]; 4] = [&["postgres"], &["mysql"], &["redis"], &["inMemory"]];

/// The database that workers on a broker share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageConfig {
    /// PostgreSQL.
    Postgres(SqlConfig),
    /// MySQL or MariaDB.
    Mysql(SqlConfig),
    /// Redis.
    Redis(RedisConfig),
    /// The memory of this process, with `transport.inMemory` only.
    InMemory,
}

/// `storage.postgres` or `storage.mysql`.
///
/// Either `url` is there, or `host` and `username` are; never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlConfig {
    /// Server, user and database in one.
    pub url: Option<Secret>,
    /// The host; empty with `url`.
    pub host: String,
    /// The port; that of the kind of database unless given.
    pub port: u16,
    /// The user; empty with `url`.
    pub username: String,
    /// The password.
    pub password: Option<Secret>,
    /// The database: `postgres` or `infinitic` unless given. Not used with `url`.
    pub database: String,
    /// The schema of our tables, of PostgreSQL only.
    pub schema: Option<String>,
    /// What the names of our tables begin with.
    pub table_prefix: Option<String>,
    /// `maximumPoolSize`: connections at most.
    pub pool_max: Option<u32>,
    /// `connectionTimeout`: limit of one call, waiting for a connection included.
    pub timeout: Option<Duration>,
    /// Encryption of connections. Not used with `url`.
    pub ssl: Option<SslMode>,
    /// `sslRootCert`: a PEM file of the authority to trust. Not used with `url`.
    pub ssl_ca_file: Option<PathBuf>,
}

/// Encryption of connections to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// None.
    Disable,
    /// When the server offers it.
    Prefer,
    /// Always; any certificate is accepted.
    Require,
    /// Always; the certificate must be signed by a known authority.
    VerifyCa,
    /// The same, and it must be for that host.
    VerifyFull,
}

/// `storage.redis`.
///
/// Either `url` is there, or `host` is; never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// Server, user and database in one.
    pub url: Option<Secret>,
    /// The host; empty with `url`.
    pub host: String,
    /// The port, 6379 unless given.
    pub port: u16,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database, 0 unless given. Not used with `url`.
    pub database: u32,
    /// Whether the connection is encrypted. Not used with `url`.
    pub ssl: bool,
    /// Limit of one call.
    pub timeout: Option<Duration>,
    /// What our keys begin with.
    pub key_prefix: Option<String>,
    /// `sslRootCert`: a PEM file of the authority to trust.
    pub ssl_ca_file: Option<PathBuf>,
    /// How many replicas must have a commit.
    pub wait_replicas: Option<u16>,
    /// Whether the append-only file must be synced.
    pub wait_aof: Option<bool>,
}

impl StorageConfig {
    /// Reads the section, and compares it with the transport.
    pub(super) fn read(top: &Section<'_>, transport: Option<&TransportConfig>) -> Option<Self> {
        let section = top.section("storage", &STORAGE)?;
        let chosen = section.one_of(&KINDS);
        let sql = |key, keys, database, port, schemes: &[&str]| {
            let section = section.section(key, keys)?;
            Some(SqlConfig::read(&section, keys, database, port, schemes))
        };
        let schemes = ["postgres://", "postgresql://"];
        let postgres = sql("postgres", &POSTGRES, "postgres", 5_432, &schemes);
        let mysql = sql(
            "mysql",
            &MYSQL,
            "infinitic",
            3_306,
            &["mysql://", "mariadb://"],
        );
        let redis = section.section("redis", &REDIS);
        let redis = redis.map(|section| RedisConfig::read(&section));
        let memory = section.section("inMemory", &NOTHING);
        let chosen = chosen?;
        if let Some(transport) = transport {
            check_pair(&section, KINDS[chosen][0], &transport.kind);
        }
        match chosen {
            0 => postgres.map(Self::Postgres),
            1 => mysql.map(Self::Mysql),
            2 => redis.map(Self::Redis),
            _ => memory.map(|_| Self::InMemory),
        }
    }
}

/// A transport decides which storage has a meaning.
fn check_pair(section: &Section<'_>, kind: &'static str, transport: &TransportKind) {
    let path = section.path_of(kind);
    let message = match (transport, kind) {
        (TransportKind::Pulsar(_), "inMemory") => format!(
            "`{path}` does not go with `transport.pulsar`: the workers share a broker, and must \
             share a database too; write one of `postgres`, `mysql`, `redis`"
        ),
        (TransportKind::Pulsar(_), _) | (TransportKind::InMemory, "inMemory") => return,
        (TransportKind::InMemory, _) => format!(
            "`{path}` is of no use with `transport.inMemory`, which keeps state in memory; remove \
             `storage`, or choose `transport.pulsar`"
        ),
        (TransportKind::Embedded(_), _) => format!(
            "`{path}` is of no use with `transport.embedded`, which keeps state in its own \
             directory; remove `storage`, or choose `transport.pulsar`"
        ),
    };
    section.fault(kind, message);
}

/// Keys that say what an address says.
fn check_url(section: &Section<'_>, parts: &[&str], required: &[&str]) {
    if !section.has("url") {
        for key in required {
            section.require(key);
        }
        return;
    }
    for key in parts.iter().filter(|key| section.has(key)) {
        let message = format!(
            "`{}` stands beside `url`, which says it too; remove one of them",
            section.path_of(key)
        );
        section.fault(key, message);
    }
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let host = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

fn is_host(text: &str) -> bool {
    !text.contains(['/', '@']) && !text.contains(char::is_whitespace)
}

/// A name that is written into statements as it is.
fn is_identifier(text: &str, length_max: usize) -> bool {
    let first = text.chars().next();
    text.len() <= length_max
        && first.is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl SqlConfig {
    fn read(
        section: &Section<'_>,
        keys: &Keys,
        database: &str,
        port: u16,
        schemes: &[&str],
    ) -> Self {
        let parts = [
            "host",
            "port",
            "username",
            "password",
            "database",
            "ssl",
            "sslRootCert",
        ];
        check_url(section, &parts, &["host", "username"]);
        let verifies = section.quiet_text("ssl").is_some_and(|mode| {
            ["verify-ca", "verify-full"]
                .iter()
                .any(|word| word.eq_ignore_ascii_case(mode))
        });
        if !verifies && !section.has("url") {
            section.without_effect(
                "sslRootCert",
                "certificates are not checked; write `ssl: verify-full`, or remove it",
            );
        }
        let schema = keys
            .find("schema")
            .and_then(|_| section.text_if("schema", |text| is_identifier(text, 60)));
        let modes = [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ];
        let database = || database.to_owned();
        Self {
            url: section.secret_if("url", |text| is_url(text, schemes)),
            host: section.text_if("host", is_host).unwrap_or_default(),
            port: section.whole("port", 1..=u16::MAX).unwrap_or(port),
            username: section.text("username").unwrap_or_default(),
            password: section.secret("password"),
            database: section.text("database").unwrap_or_else(database),
            schema,
            table_prefix: section.text_if("tablePrefix", |text| is_identifier(text, 40)),
            pool_max: section.whole("maximumPoolSize", 1..=1_000),
            timeout: section.millis("connectionTimeout"),
            ssl: section.choice("ssl", &modes),
            ssl_ca_file: section.text("sslRootCert").map(PathBuf::from),
        }
    }
}

impl RedisConfig {
    fn read(section: &Section<'_>) -> Self {
        let parts = ["host", "port", "username", "password", "database", "ssl"];
        check_url(section, &parts, &["host"]);
        let schemes = ["redis://", "rediss://"];
        let url = section.secret_if("url", |text| is_url(text, &schemes));
        let ssl = section.flag("ssl").unwrap_or(false);
        let by_url = url
            .as_ref()
            .is_some_and(|url| url.reveal().starts_with("rediss:"));
        if !ssl && !by_url {
            section.without_effect(
                "sslRootCert",
                "the connection is not encrypted; write `ssl: true`, or `rediss://` in `url`, or \
                 remove it",
            );
        }
        let is_prefix = |text: &str| {
            let may_hold = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
            text.len() <= 64 && text.chars().all(may_hold)
        };
        Self {
            url,
            host: section.text_if("host", is_host).unwrap_or_default(),
            port: section.whole("port", 1..=u16::MAX).unwrap_or(6_379),
            username: section.text("username"),
            password: section.secret("password"),
            database: section.whole("database", 0..=1_000).unwrap_or(0),
            ssl,
            timeout: section.millis("timeout"),
            key_prefix: section.text_if("keyPrefix", is_prefix),
            ssl_ca_file: section.text("sslRootCert").map(PathBuf::from),
            wait_replicas: section.whole("waitReplicas", 0..=100),
            wait_aof: section.flag("waitAof"),
        }
    }
}
