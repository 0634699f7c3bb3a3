//! `storage`: how its settings become a connection.

#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
use std::sync::Arc;

use crate::cluster::connection::MakeStore;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
use crate::cluster::store::SharedStore;
use crate::config::{Config, ConfigError, StorageConfig};

/// What connects to the database, at the first use.
pub(super) fn database(config: &Config, storage: &StorageConfig) -> Result<MakeStore, ConfigError> {
    match storage {
        #[cfg(feature = "postgres")]
        StorageConfig::Postgres(sql) => {
            use crate::store::postgres::PostgresStore;
            let settings = sql_settings(storage, sql);
            Ok(Box::new(move || {
                let settings = settings.clone();
                Box::pin(async move {
                    let store = PostgresStore::open(&settings).await?;
                    Ok(Arc::new(store) as Arc<dyn SharedStore>)
                })
            }))
        }
        #[cfg(feature = "mysql")]
        StorageConfig::Mysql(sql) => {
            use crate::store::mysql::MysqlStore;
            let settings = sql_settings(storage, sql);
            Ok(Box::new(move || {
                let settings = settings.clone();
                Box::pin(async move {
                    let store = MysqlStore::open(&settings).await?;
                    Ok(Arc::new(store) as Arc<dyn SharedStore>)
                })
            }))
        }
        #[cfg(feature = "redis")]
        StorageConfig::Redis(redis) => {
            use crate::store::redis::RedisStore;
            let settings = redis_settings(storage, redis);
            Ok(Box::new(move || {
                let settings = settings.clone();
                Box::pin(async move {
                    let store = RedisStore::open(&settings).await?;
                    Ok(Arc::new(store) as Arc<dyn SharedStore>)
                })
            }))
        }
        // It was refused when the configuration was read.
        StorageConfig::InMemory => Err(config.wrong(
            "`storage.inMemory` does not go with `transport.pulsar`; write one of `postgres`, \
             `mysql`, `redis`",
        )),
        #[cfg(not(feature = "postgres"))]
        StorageConfig::Postgres(_) => Err(missing(config, "postgres")),
        #[cfg(not(feature = "mysql"))]
        StorageConfig::Mysql(_) => Err(missing(config, "mysql")),
        #[cfg(not(feature = "redis"))]
        StorageConfig::Redis(_) => Err(missing(config, "redis")),
    }
}

#[cfg(not(all(feature = "postgres", feature = "mysql", feature = "redis")))]
fn missing(config: &Config, kind: &str) -> ConfigError {
    config.needs_feature(&format!("storage.{kind}"), kind)
}

/// The address as the driver takes it; each kind but memory has one.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
fn url(storage: &StorageConfig) -> String {
    let url = storage.url();
    url.map_or_else(String::new, |url| url.reveal().to_owned())
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn sql_settings(
    storage: &StorageConfig,
    sql: &crate::config::SqlConfig,
) -> crate::store::sql::SqlSettings {
    let mut settings = crate::store::sql::SqlSettings::new(url(storage));
    settings.schema.clone_from(&sql.schema);
    if let Some(prefix) = &sql.table_prefix {
        settings.prefix.clone_from(prefix);
    }
    settings.connections = sql.pool_max.unwrap_or(settings.connections);
    settings.timeout = sql.timeout.unwrap_or(settings.timeout);
    settings
}

#[cfg(feature = "redis")]
fn redis_settings(
    storage: &StorageConfig,
    redis: &crate::config::RedisConfig,
) -> crate::store::redis::RedisSettings {
    let mut settings = crate::store::redis::RedisSettings::new(url(storage));
    if let Some(prefix) = &redis.key_prefix {
        settings.prefix.clone_from(prefix);
    }
    settings.ca.clone_from(&redis.ssl_ca_file);
    settings.timeout = redis.timeout.unwrap_or(settings.timeout);
    settings.replicas = redis.wait_replicas.unwrap_or(settings.replicas);
    settings.wait_aof = redis.wait_aof.unwrap_or(settings.wait_aof);
    settings
}
