//! Tables: made once, migrated, and checked at each start.

use std::sync::atomic::Ordering;

use sqlx::Row as _;

use super::text::{Names, hex};
use super::{MysqlStore, errors, fetch};
use crate::backend::StoreError;
use crate::store::sql::connections::CallError;
use crate::store::sql::{SCHEMA_VERSION, SqlSettings, check_version};

/// What the server must take at once at least.
const PACKET_MIN: usize = 4 << 20;

/// How long another worker may take to make the tables, in seconds.
const LOCK_SECONDS: u32 = 600;

/// What makes each version of the tables from the one before it. The server ends a transaction at
/// each of these statements, so that each must bear to be run again.
const MIGRATIONS: [&str; SCHEMA_VERSION as usize] = [VERSION_1];

// Names and keys are bytes, so that the server compares bytes, whatever its collations.
const VERSION_1: &str = "
CREATE TABLE IF NOT EXISTS {workflows} (
    name varbinary(255) NOT NULL PRIMARY KEY,
    partitions int NOT NULL
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {parts} (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    workflow varbinary(255) NOT NULL,
    number int NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    owner varbinary(255),
    last_owner varbinary(255),
    owner_before varbinary(255),
    committed bigint NOT NULL DEFAULT 0,
    UNIQUE (workflow, number)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {members} (
    id varbinary(255) NOT NULL PRIMARY KEY,
    hosts mediumblob NOT NULL,
    lease_until bigint NOT NULL
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS {history} (
    part int NOT NULL,
    row_key binary(20) NOT NULL,
    commit_id bigint NOT NULL,
    value longblob NOT NULL,
    PRIMARY KEY (part, row_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
CREATE TABLE IF NOT EXISTS {rows} (
    part int NOT NULL,
    tab smallint NOT NULL,
    row_key varbinary(1024) NOT NULL,
    value longblob NOT NULL,
    PRIMARY KEY (part, tab, row_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
";

/// Makes one column of bytes out of a setting of any type.
const SETTINGS: &str = "SELECT CAST(@@max_allowed_packet AS SIGNED), \
     CAST(@@innodb_flush_log_at_trx_commit AS SIGNED), \
     CAST(@@log_bin AS SIGNED), CAST(@@sync_binlog AS SIGNED)";

impl MysqlStore {
    pub(super) async fn prepare_tables(&self, settings: &SqlSettings) -> Result<(), StoreError> {
        let refused = |error: CallError| errors::at_start(&error, settings);
        let found = match self.connections.call(self.read_version()).await {
            Ok(found) => found,
            // Error 1049 with a database of the settings: it is made like a table.
            Err(error) if errors::is_no_table(&error) => None,
            Err(error) if settings.schema.is_some() && errors::number(&error) == Some(1049) => None,
            Err(error) => return Err(refused(error)),
        };
        let version = match found {
            Some(found) => check_version(&found, &settings.prefix)?,
            None => 0,
        };
        if version < SCHEMA_VERSION {
            let found = self
                .connections
                .call(self.migrate())
                .await
                .map_err(refused)?;
            if let Some(found) = found {
                check_version(&found, &settings.prefix)?;
            }
        }
        let checked = self.connections.call(self.read_settings()).await;
        self.check_settings(checked.map_err(refused)?)
    }

    async fn read_version(&self) -> Result<Option<String>, sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let query = "SELECT value FROM {meta} WHERE name = 'version'";
        let rows = fetch(lease.get()?, self.names.fill(query)).await?;
        lease.give_back();
        version_in(&rows)
    }

    /// Makes what is missing, one worker at a time. Answers the version that another one has made
    /// meanwhile.
    async fn migrate(&self) -> Result<Option<String>, sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let names = &self.names;
        if let Some(database) = &names.database {
            let literal = hex(database.as_bytes());
            let query =
                format!("SELECT 1 FROM information_schema.schemata WHERE schema_name = {literal}");
            if fetch(lease.get()?, query).await?.is_empty() {
                let make = format!("CREATE DATABASE IF NOT EXISTS `{database}`");
                fetch(lease.get()?, make).await?;
            }
        }
        // The lock belongs to the session: it ends with it, whatever happens.
        let lock = lock_name(names);
        let locked = fetch(
            lease.get()?,
            format!("SELECT GET_LOCK({lock}, {LOCK_SECONDS})"),
        )
        .await?;
        let locked = locked.first().map(|row| row.try_get::<Option<i64>, _>(0));
        if locked.transpose()?.flatten() != Some(1) {
            let text = "another worker has been making the tables for long";
            return Err(sqlx::Error::Protocol(text.to_owned()));
        }
        let begin = "CREATE TABLE IF NOT EXISTS {meta} (name varchar(60) NOT NULL PRIMARY KEY, \
             value varchar(255) NOT NULL) ENGINE = InnoDB; \
             SELECT value FROM {meta} WHERE name = 'version'";
        let found = version_in(&fetch(lease.get()?, names.fill(begin)).await?)?;
        let version = match &found {
            None => 0,
            Some(text) => text.parse().unwrap_or(usize::MAX),
        };
        for migration in MIGRATIONS.iter().skip(version) {
            fetch(lease.get()?, names.fill(migration)).await?;
        }
        if version < MIGRATIONS.len() {
            let note = format!("REPLACE INTO {{meta}} VALUES ('version', '{SCHEMA_VERSION}')");
            fetch(lease.get()?, names.fill(&note)).await?;
        }
        fetch(lease.get()?, format!("SELECT RELEASE_LOCK({lock})")).await?;
        lease.give_back();
        Ok(found)
    }

    async fn read_settings(&self) -> Result<[i64; 4], sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let row = sqlx::query(SETTINGS).fetch_one(lease.get()?).await?;
        lease.give_back();
        Ok([
            row.try_get(0)?,
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
        ])
    }

    /// Says which settings of the server would let answered writes be lost.
    fn check_settings(&self, settings: [i64; 4]) -> Result<(), StoreError> {
        let [packet, flush, binary_log, sync_binary_log] = settings;
        let place = self.connections.place();
        if flush != 1 {
            tracing::warn!(
                place,
                "innodb_flush_log_at_trx_commit is {flush}: a crash of the database server's \
                 machine loses its last writes, which workers and clients were told are durable; \
                 set it to 1"
            );
        }
        if binary_log == 1 && sync_binary_log != 1 {
            tracing::warn!(
                place,
                "sync_binlog is {sync_binary_log}: after a crash of the database server's machine \
                 its replicas may lack the last writes; set it to 1"
            );
        }
        let packet = usize::try_from(packet).unwrap_or(0);
        if packet < PACKET_MIN {
            return Err(StoreError::Refused(format!(
                "the database {place} takes packets of {packet} bytes at most, which is too little \
                 for a round; set max_allowed_packet to {PACKET_MIN} or more (64M is usual)"
            )));
        }
        self.packet_max.store(packet, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the tables and all that is in them: for tests.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the server does not do it.
    #[doc(hidden)]
    pub async fn erase(&self) -> Result<(), StoreError> {
        let drop =
            "DROP TABLE IF EXISTS {meta}, {parts}, {workflows}, {members}, {history}, {rows}";
        self.run(drop).await.map(std::mem::drop)
    }
}

fn version_in(rows: &[sqlx::mysql::MySqlRow]) -> Result<Option<String>, sqlx::Error> {
    rows.first().map(|row| row.try_get(0)).transpose()
}

/// Names of locks are short: a digest of the table's name.
fn lock_name(names: &Names) -> String {
    let table = hex(names.table("meta").as_bytes());
    format!("MD5(CONCAT(COALESCE(DATABASE(), ''), {table}))")
}
