//! Tables: made once, migrated, and checked at each start.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::PostgresStore;
use super::errors::at_start;
use super::statements::fill;
use crate::backend::StoreError;
use crate::store::sql::connections::CallError;
use crate::store::sql::{SCHEMA_VERSION, SqlSettings, check_version};

/// The server's code for a table that is not there.
const NO_TABLE: &str = "42P01";

/// What makes each version of the tables from the one before it.
const MIGRATIONS: [&str; SCHEMA_VERSION as usize] = [VERSION_1];

// The rows of partitions are updated in each round: room on their pages lets the server do that in
// place, and they are vacuumed long before the usual fifth of the table is dead. Values are stored
// as they are: compressing them again costs more than it saves.
const VERSION_1: &str = r#"
CREATE TABLE {workflows} (
    name text COLLATE "C" PRIMARY KEY,
    partitions int4 NOT NULL
);
CREATE TABLE {parts} (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow text COLLATE "C" NOT NULL REFERENCES {workflows},
    number int4 NOT NULL,
    epoch int8 NOT NULL DEFAULT 0,
    owner text,
    last_owner text,
    owner_before text,
    committed int8 NOT NULL DEFAULT 0,
    UNIQUE (workflow, number)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE TABLE {members} (
    id text COLLATE "C" PRIMARY KEY,
    hosts text[] NOT NULL,
    lease_until int8 NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE {history} (
    part int4 NOT NULL,
    row int4 NOT NULL,
    id uuid NOT NULL,
    commit_id int8 NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (part, id, row)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE {history} ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE TABLE {rows} (
    part int4 NOT NULL,
    tab int2 NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (part, tab, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE {rows} ALTER COLUMN value SET STORAGE EXTERNAL;
"#;

impl PostgresStore {
    pub(super) async fn prepare_tables(&self, settings: &SqlSettings) -> Result<(), StoreError> {
        let refused = |error: CallError| at_start(&error, settings);
        let found = match self.connections.call(self.read_version()).await {
            Ok(found) => found,
            Err(error) if error.code().as_deref() == Some(NO_TABLE) => None,
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
        let checked = self.connections.call(self.warn_of_settings()).await;
        checked.map_err(refused)
    }

    async fn read_version(&self) -> Result<Option<String>, sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let row = sqlx::query(AssertSqlSafe(self.sql.version.clone()))
            .fetch_optional(lease.get()?)
            .await?;
        lease.give_back();
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Makes what is missing, one worker at a time. Answers the version that another one has made
    /// meanwhile.
    async fn migrate(&self) -> Result<Option<String>, sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let mut transaction = lease.get()?.begin().await?;
        let names = &self.sql.names;
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        sqlx::query(lock)
            .bind(format!("infinitic tables {}", names.table("meta")))
            .execute(&mut *transaction)
            .await?;
        if let Some(schema) = &names.schema {
            make_schema(&mut transaction, schema).await?;
        }
        let meta = fill(
            "CREATE TABLE IF NOT EXISTS {meta} (key text PRIMARY KEY, value text NOT NULL)",
            names,
        );
        sqlx::raw_sql(AssertSqlSafe(meta))
            .execute(&mut *transaction)
            .await?;
        let found: Option<String> = sqlx::query_scalar(AssertSqlSafe(self.sql.version.clone()))
            .fetch_optional(&mut *transaction)
            .await?;
        let version = match &found {
            None => 0,
            Some(text) => text.parse().unwrap_or(usize::MAX),
        };
        for migration in MIGRATIONS.iter().skip(version) {
            sqlx::raw_sql(AssertSqlSafe(fill(migration, names)))
                .execute(&mut *transaction)
                .await?;
        }
        if version < MIGRATIONS.len() {
            let note = "INSERT INTO {meta} VALUES ('version', $1) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            sqlx::query(AssertSqlSafe(fill(note, names)))
                .bind(SCHEMA_VERSION.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        lease.give_back();
        Ok(found)
    }

    /// Says which settings of the server would let answered writes be lost.
    async fn warn_of_settings(&self) -> Result<(), sqlx::Error> {
        let mut lease = self.connections.take().await?;
        let query = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
             current_setting('full_page_writes')";
        let (synchronous, fsync, full_pages): (String, String, String) =
            sqlx::query_as(query).fetch_one(lease.get()?).await?;
        lease.give_back();
        let place = self.connections.place();
        if synchronous == "off" {
            tracing::warn!(
                place,
                "synchronous_commit is off: a crash of the database server loses its last writes, \
                 which workers and clients were told are durable; switch it on for this user: \
                 ALTER ROLE … SET synchronous_commit = on"
            );
        }
        for (setting, value) in [("fsync", fsync), ("full_page_writes", full_pages)] {
            if value == "off" {
                tracing::warn!(
                    place,
                    setting,
                    "this setting of the database server is off: a crash of its machine may lose \
                     or damage everything; switch it on"
                );
            }
        }
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
        let query = sqlx::query(AssertSqlSafe(fill(drop, &self.sql.names)));
        self.fetch(query).await.map(std::mem::drop)
    }
}

async fn make_schema(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    // `IF NOT EXISTS` asks for the right to make one even when it is there.
    let there = sqlx::query("SELECT FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(&mut *connection)
        .await?;
    if there.is_none() {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\"")))
            .execute(connection)
            .await?;
    }
    Ok(())
}
