//! `storage`.

use std::time::Duration;

use super::super::{SslMode, StorageConfig};
use super::{MEMORY, PULSAR, good, refused};

#[track_caller]
fn storage(text: &str) -> StorageConfig {
    good(&format!("{PULSAR}storage: {{ {text} }}\n"))
        .storage
        .unwrap()
}

#[track_caller]
fn no_storage(text: &str, expected: &str) {
    refused(&format!("{PULSAR}storage: {{ {text} }}\n"), expected);
}

#[test]
fn sql_has_the_defaults_of_its_kind() {
    let StorageConfig::Postgres(postgres) = storage("postgres: { host: h, username: u }") else {
        panic!("postgres is chosen");
    };
    assert_eq!((postgres.port, &postgres.database[..]), (5_432, "postgres"));
    assert_eq!(postgres.schema, None);
    let StorageConfig::Mysql(mysql) = storage("mysql: { host: h, username: u }") else {
        panic!("mysql is chosen");
    };
    assert_eq!((mysql.port, &mysql.database[..]), (3_306, "infinitic"));
}

#[test]
fn every_key_of_sql_is_read() {
    let text = "postgres: { host: h, port: 1, username: u, password: p, database: d, schema: s, \
                tablePrefix: t_, maximumPoolSize: 4, connectionTimeout: 500, ssl: verify-full, \
                sslRootCert: ./ca.pem }";
    let StorageConfig::Postgres(sql) = storage(text) else {
        panic!("postgres is chosen");
    };
    assert_eq!((&sql.host[..], sql.port, &sql.username[..]), ("h", 1, "u"));
    assert_eq!(sql.password.unwrap().reveal(), "p");
    assert_eq!((&sql.database[..], sql.schema.as_deref()), ("d", Some("s")));
    assert_eq!(sql.table_prefix.as_deref(), Some("t_"));
    assert_eq!(sql.pool_max, Some(4));
    assert_eq!(sql.timeout, Some(Duration::from_millis(500)));
    assert_eq!(sql.ssl, Some(SslMode::VerifyFull));
    assert_eq!(sql.ssl_ca_file.unwrap().to_str(), Some("./ca.pem"));
}

#[test]
fn every_key_of_redis_is_read() {
    let text = "redis: { host: h, port: 1, username: u, password: p, database: 3, ssl: true, \
                sslRootCert: ./ca.pem, timeout: 900, keyPrefix: 'a:b', waitReplicas: 2, waitAof: \
                true }";
    let StorageConfig::Redis(redis) = storage(text) else {
        panic!("redis is chosen");
    };
    assert_eq!((&redis.host[..], redis.port, redis.database), ("h", 1, 3));
    assert_eq!(redis.username.as_deref(), Some("u"));
    assert_eq!(redis.password.unwrap().reveal(), "p");
    assert!(redis.ssl);
    assert_eq!(redis.ssl_ca_file.unwrap().to_str(), Some("./ca.pem"));
    assert_eq!(redis.timeout, Some(Duration::from_millis(900)));
    assert_eq!(redis.key_prefix.as_deref(), Some("a:b"));
    assert_eq!((redis.wait_replicas, redis.wait_aof), (Some(2), Some(true)));
}

#[test]
fn an_authority_needs_checked_certificates() {
    no_storage(
        "mysql: { host: h, username: u, ssl: require, sslRootCert: ./ca.pem }",
        "a.yml:7:57: `storage.mysql.sslRootCert` has no effect: certificates are not checked; \
         write `ssl: verify-full`, or remove it",
    );
    no_storage(
        "redis: { host: h, sslRootCert: ./ca.pem }",
        "a.yml:7:30: `storage.redis.sslRootCert` has no effect: the connection is not encrypted; \
         write `ssl: true`, or `rediss://` in `url`, or remove it",
    );
    storage("redis: { url: 'rediss://h', sslRootCert: ./ca.pem }");
}

#[track_caller]
fn address(text: &str, expected: &str) {
    assert_eq!(storage(text).url().unwrap().reveal(), expected);
}

#[test]
fn addresses_are_built_for_drivers() {
    address(
        "postgres: { host: h, username: u }",
        "postgres://u@h:5432/postgres",
    );
    address(
        "postgres: { host: '::1', username: 'a b', password: 'p@:/%', database: 'd/e', ssl: \
         verify-ca, sslRootCert: '/c a.pem' }",
        "postgres://a%20b:p%40%3A%2F%25@[::1]:5432/d%2Fe?\
        sslmode=verify-ca&sslrootcert=%2Fc%20a.pem",
    );
    address(
        "mysql: { host: h, username: u, password: ü, ssl: verify-full }",
        "mysql://u:%C3%BC@h:3306/infinitic?ssl-mode=VERIFY_IDENTITY",
    );
    address("redis: { host: h }", "redis://h:6379/0");
    address(
        "redis: { host: h, password: p, database: 2, ssl: true }",
        "rediss://:p@h:6379/2",
    );
    address("redis: { url: 'redis://given' }", "redis://given");
}

/// The drivers understand the addresses that are built for them.
#[cfg(feature = "postgres")]
#[test]
fn the_driver_of_postgres_reads_its_address() {
    let text = "postgres: { host: h, port: 7, username: 'a b', password: 'p@', database: 'd/e', \
                ssl: verify-full }";
    let url = storage(text).url().unwrap();
    let options: sqlx::postgres::PgConnectOptions = url.reveal().parse().unwrap();
    assert_eq!((options.get_host(), options.get_port()), ("h", 7));
    assert_eq!(options.get_username(), "a b");
    assert_eq!(options.get_database(), Some("d/e"));
    assert!(format!("{:?}", options.get_ssl_mode()).contains("VerifyFull"));
}

/// The drivers understand the addresses that are built for them.
#[cfg(feature = "mysql")]
#[test]
fn the_driver_of_mysql_reads_its_address() {
    let text = "mysql: { host: h, port: 7, username: 'a b', password: 'p@', ssl: verify-full }";
    let url = storage(text).url().unwrap();
    let options: sqlx::mysql::MySqlConnectOptions = url.reveal().parse().unwrap();
    let shown = format!("{options:?}");
    assert!(
        shown.contains("\"a b\"") && shown.contains("VerifyIdentity"),
        "{shown}"
    );
}

/// The drivers understand the addresses that are built for them.
#[cfg(feature = "redis")]
#[test]
fn the_driver_of_redis_reads_its_address() {
    use ::redis::IntoConnectionInfo as _;

    let text = "redis: { host: h, port: 7, username: 'a b', password: 'p@', database: 3 }";
    let url = storage(text).url().unwrap();
    let info = url.reveal().into_connection_info().unwrap();
    assert_eq!(info.addr().to_string(), "h:7");
    assert_eq!(info.redis_settings().db(), 3);
    assert_eq!(info.redis_settings().username(), Some("a b"));
    assert_eq!(info.redis_settings().password(), Some("p@"));
}

#[test]
fn an_address_says_it_all() {
    let StorageConfig::Postgres(sql) = storage("postgres: { url: 'postgresql://u:p@h/d' }") else {
        panic!("postgres is chosen");
    };
    assert_eq!(sql.url.unwrap().reveal(), "postgresql://u:p@h/d");
    no_storage(
        "postgres: { url: 'postgres://u@h/d', host: h, password: p }",
        "a.yml:7:49: `storage.postgres.host` stands beside `url`, which says it too; remove one of \
         them\n\
         a.yml:7:58: `storage.postgres.password` stands beside `url`, which says it too; remove \
         one \
         of them",
    );
}

#[test]
fn what_is_missing_is_told() {
    no_storage(
        "postgres: { user: u }",
        "a.yml:7:12: `storage.postgres.host` is missing; it takes a host, such as localhost\n\
         a.yml:7:24: unknown key `user` in `storage.postgres`; did you mean `username`?",
    );
    no_storage(
        "redis: {}",
        "a.yml:7:12: `storage.redis.host` is missing; it takes a host, such as localhost",
    );
    no_storage(
        "",
        "a.yml:7:1: `storage` chooses nothing; write one of: `postgres`; or `mysql`; or `redis`; \
         or `inMemory`",
    );
}

#[test]
fn names_that_go_into_statements_are_checked() {
    no_storage(
        "postgres: { host: h, username: u, schema: 'a; drop', tablePrefix: 1a }",
        "a.yml:7:54: `storage.postgres.schema` is the text \"a; drop\"; it takes 1 to 60 \
         letters, digits and `_`, beginning with a letter, such as infinitic\n\
         a.yml:7:78: `storage.postgres.tablePrefix` is `1a`; it takes 1 to 40 letters, \
         digits and `_`, beginning with a letter, such as infinitic_",
    );
}

#[test]
fn keys_of_another_database_are_told() {
    no_storage(
        "mysql: { host: h, username: u, minimumIdle: 3, schema: s }",
        "a.yml:7:43: `storage.mysql.minimumIdle` is not accepted: connections stay open, and one \
         that fails is replaced; remove it\n\
         a.yml:7:59: unknown key `schema` in `storage.mysql`; it belongs to `storage.postgres`",
    );
}

#[test]
fn tables_of_the_jvm_version_are_refused() {
    no_storage(
        "mysql: { host: h, username: u, keySetTable: k }, compression: gzip, cache: {}",
        "a.yml:7:43: `storage.mysql.keySetTable` is not accepted: there are other tables than in \
         the JVM version; write `tablePrefix`\n\
         a.yml:7:61: `storage.compression` is not accepted: not available yet in this version: \
         values are stored as they are; remove it\n\
         a.yml:7:80: `storage.cache` is not accepted: states of open instances stay in memory by \
         themselves, and are never stale; bound them with `worker.cachedInstances`",
    );
}

#[test]
fn storage_fits_the_transport() {
    good(&format!("{MEMORY}storage: {{ inMemory: }}\n"));
    no_storage(
        "inMemory: {}",
        "a.yml:7:12: `storage.inMemory` does not go with `transport.pulsar`: the workers share a \
         broker, and must share a database too; write one of `postgres`, `mysql`, `redis`",
    );
    refused(
        &format!("{MEMORY}storage: {{ redis: {{ host: h }} }}\n"),
        "a.yml:2:12: `storage.redis` is of no use with `transport.inMemory`, which keeps state in \
         memory; remove `storage`, or choose `transport.pulsar`",
    );
    refused(
        "transport: { embedded: { path: d } }\nstorage: { inMemory: {} }\n",
        "a.yml:2:12: `storage.inMemory` is of no use with `transport.embedded`, which keeps state \
         in its own directory; remove `storage`, or choose `transport.pulsar`",
    );
}

#[test]
fn a_worker_on_a_broker_is_told_what_it_lacks() {
    let config = good(PULSAR);
    assert_eq!(
        config.shared_storage().unwrap_err().to_string(),
        "the configuration cannot be used: a.yml: `storage` is missing: workers \
         that host workflows on `transport.pulsar` share a database; it takes a mapping with one \
         of \
         `postgres`, `mysql`, `redis`"
    );
    let config = good(&format!("{PULSAR}storage: {{ redis: {{ host: h }} }}\n"));
    config.shared_storage().unwrap();
}
