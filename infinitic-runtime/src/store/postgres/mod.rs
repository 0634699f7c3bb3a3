//! PostgreSQL (14 or newer) as the database that workers share.
//!
//! # What it needs
//!
//! - A role that may connect and, at the first start, make tables: `GRANT CREATE, USAGE ON SCHEMA
//!   … TO …`. The tables are made once, by whichever worker is first. Later starts need no more
//!   than `SELECT, INSERT, UPDATE, DELETE` on them.
//! - `fsync = on` and `synchronous_commit = on` (the defaults): an answered write is durable. The
//!   store looks at the start, and warns when they are off. With replicas, `synchronous_commit`
//!   and `synchronous_standby_names` decide whether a failover may lose answered writes.
//! - As many connections a worker as [`SqlSettings::connections`] says (8). They are kept open, in
//!   a session of their own: a proxy in between must pool sessions, not transactions.
//! - Autovacuum. Index rows come and go; the tables are set to be vacuumed early.
//!
//! # How it writes
//!
//! A round is one statement, so one round trip and one sync of the log: it moves the number of the
//! last commit of each partition forward, which locks the partition's row until the end and fails
//! when the epoch is another, and only then appends rows. Each row is appended only when the last
//! row of its instance is the one it names. When something is missing afterwards, a second
//! statement asks what is there: that finds losers, commits that were written already, and epochs
//! that are over.

mod errors;
mod pages;
mod schema;
mod statements;
mod types;
mod write;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, PgPool, Postgres, Row as _};

use super::sql::SqlSettings;
use super::sql::batch::PartNumber;
use super::sql::connections::{Connections, Prepare, Source};
use crate::backend::{StoreError, Table};
use crate::cluster::store::{
    Beat, Claim, Epoch, Fleet, HistoryRow, Member, MemberId, Owned, Part, PartCommit, Pending,
    Rows, SharedCounters, SharedStore, Written, no_such_part,
};
use statements::Statements;

/// A shared store in PostgreSQL.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections<Postgres>,
    sql: Statements,
    /// Numbers of partitions in the tables; they never change.
    numbers: Mutex<HashMap<Part, PartNumber>>,
}

impl PostgresStore {
    /// Connects, and makes or migrates the tables.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the server cannot be reached, which may pass;
    /// [`StoreError::Refused`] for a wrong password, an unknown database, missing rights or
    /// settings that cannot be; [`StoreError::NewerFormat`] when a newer program has the tables.
    ///
    /// **Cancellation:** leaves the tables whole.
    pub async fn open(settings: &SqlSettings) -> Result<Self, StoreError> {
        settings.check()?;
        let options: PgConnectOptions = settings.url.parse().map_err(|error| {
            StoreError::Refused(format!(
                "the address of the database is not understood ({error}); write \
                 postgres://user:password@host:5432/database"
            ))
        })?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("infinitic"),
        };
        let options = Box::new(options.disable_statement_logging());
        Self::start(Source::Server(options), settings).await
    }

    /// The same with connections of the application's pool; the `url` of the settings is only told
    /// in messages. The store takes up to [`SqlSettings::connections`] out of the pool, sets its
    /// own session settings on them, and ends them when it is closed: a pool must have that many to
    /// spare.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn with_pool(pool: PgPool, settings: &SqlSettings) -> Result<Self, StoreError> {
        settings.check()?;
        Self::start(Source::Pool(pool), settings).await
    }

    async fn start(source: Source<Postgres>, settings: &SqlSettings) -> Result<Self, StoreError> {
        let store = Self {
            connections: Connections::new(source, settings),
            sql: Statements::new(settings),
            numbers: Mutex::default(),
        };
        store.prepare_tables(settings).await?;
        Ok(store)
    }

    fn numbers(&self) -> MutexGuard<'_, HashMap<Part, PartNumber>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one statement of which some rows are asked for.
    async fn fetch(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let call = self.connections.call(async {
            let mut lease = self.connections.take().await?;
            let rows = query.fetch_all(lease.get()?).await?;
            lease.give_back();
            Ok(rows)
        });
        self.connections.count_round_trips(1);
        call.await
            .map_err(|error| error.passing(self.connections.place()))
    }

    /// The numbers of the partitions that there are, of those asked for.
    async fn numbers_of(
        &self,
        parts: impl Iterator<Item = &Part> + Clone,
    ) -> Result<HashMap<Part, PartNumber>, StoreError> {
        let known = || {
            let numbers = self.numbers();
            let known = parts
                .clone()
                .map(|part| Some((part.clone(), *numbers.get(part)?)));
            known.collect::<Option<HashMap<_, _>>>()
        };
        if let Some(known) = known() {
            return Ok(known);
        }
        let names: Vec<String> = parts.clone().map(|p| p.workflow.to_string()).collect();
        let query = sqlx::query(AssertSqlSafe(self.sql.numbers.clone())).bind(names);
        self.learn(&self.fetch(query).await?)?;
        let numbers = self.numbers();
        let known = parts.filter_map(|part| Some((part.clone(), *numbers.get(part)?)));
        Ok(known.collect())
    }

    async fn number_of(&self, part: &Part) -> Result<Option<PartNumber>, StoreError> {
        Ok(self.numbers_of(std::iter::once(part)).await?.remove(part))
    }

    /// Remembers the numbers of partitions, and answers the partitions.
    fn learn(&self, rows: &[PgRow]) -> Result<Vec<Part>, StoreError> {
        let mut numbers = self.numbers();
        let parts = rows.iter().map(|row| {
            let name: &str = row.try_get(1).map_err(damaged)?;
            let number: i32 = row.try_get(2).map_err(damaged)?;
            let part = Part {
                workflow: WorkflowName::parse(name).map_err(damaged)?,
                number: u16::try_from(number).map_err(damaged)?,
            };
            numbers.insert(part.clone(), row.try_get(0).map_err(damaged)?);
            Ok(part)
        });
        parts.collect()
    }

    async fn parts_of(&self, workflow: &WorkflowName, wanted: u16) -> Result<u16, StoreError> {
        let count = || async {
            let query = sqlx::query(AssertSqlSafe(self.sql.numbers.clone()))
                .bind(vec![workflow.to_string()]);
            let parts = self.learn(&self.fetch(query).await?)?;
            u16::try_from(parts.len()).map_err(damaged)
        };
        let there = count().await?;
        if there > 0 {
            return Ok(there);
        }
        let query = sqlx::query(AssertSqlSafe(self.sql.new_parts.clone()))
            .bind(workflow.to_string())
            .bind(i32::from(wanted.max(1)));
        self.fetch(query).await?;
        count().await
    }

    async fn take_beat(&self, beat: &Beat) -> Result<Fleet, StoreError> {
        let hosts: Vec<String> = beat.hosts.iter().map(ToString::to_string).collect();
        let lease = i64::try_from(beat.lease.as_millis()).unwrap_or(i64::MAX / 2);
        let renew = sqlx::query(AssertSqlSafe(self.sql.beat.clone()))
            .bind(beat.member.0.clone())
            .bind(hosts)
            .bind(lease);
        self.fetch(renew).await?;
        let alive = self
            .fetch(sqlx::query(AssertSqlSafe(self.sql.members.clone())))
            .await?;
        let mut now = Timestamp::default();
        let mut members = Vec::new();
        for row in &alive {
            let at: i64 = row.try_get(0).map_err(damaged)?;
            now = Timestamp::from_millis(at.cast_unsigned());
            if let Some(id) = row.try_get::<Option<String>, _>(1).map_err(damaged)? {
                let hosts: Vec<String> = row.try_get(2).map_err(damaged)?;
                let hosts = hosts.iter().map(|name| WorkflowName::parse(name));
                members.push(Member {
                    id: MemberId(id),
                    hosts: hosts.collect::<Result<_, _>>().map_err(damaged)?,
                });
            }
        }
        let query = sqlx::query(AssertSqlSafe(self.sql.all_parts.clone()));
        let rows = self.fetch(query).await?;
        let mut parts = Vec::new();
        for (part, row) in self.learn(&rows)?.into_iter().zip(&rows) {
            let owner: Option<String> = row.try_get(4).map_err(damaged)?;
            parts.push(Owned {
                part,
                epoch: epoch_of(row, 3)?,
                owner: owner.map(MemberId),
            });
        }
        Ok(Fleet {
            now,
            members,
            parts,
        })
    }

    async fn take_claim(
        &self,
        part: &Part,
        member: &MemberId,
    ) -> Result<Option<Claim>, StoreError> {
        let Some(number) = self.number_of(part).await? else {
            return Err(no_such_part(part));
        };
        let query = sqlx::query(AssertSqlSafe(self.sql.claim.clone()))
            .bind(number)
            .bind(member.0.clone());
        let rows = self.fetch(query).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let before: Option<String> = row.try_get(1).map_err(damaged)?;
        Ok(Some(Claim {
            epoch: epoch_of(row, 0)?,
            before: before.map(MemberId),
        }))
    }
}

fn epoch_of(row: &PgRow, column: usize) -> Result<Epoch, StoreError> {
    let epoch: i64 = row.try_get(column).map_err(damaged)?;
    Ok(Epoch(u32::try_from(epoch).map_err(damaged)?))
}

/// The error of a row that is not as this program writes it.
fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("a row of the database cannot be read: {error}"))
}

impl Prepare for Postgres {
    async fn prepare(connection: &mut PgConnection, timeout: Duration) -> Result<(), sqlx::Error> {
        // Every row is found by its key, so one plan for each statement will do. A plan that was
        // made while a table was small would read the whole of it later; so such plans are off, and
        // with them the compiler that the planner calls when a plan looks dear. A call that nobody
        // waits for any more ends too. A statement that waited for another one goes on with what
        // that one wrote; under stricter isolation it would fail.
        let settings = format!(
            "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; \
             SET default_transaction_isolation = 'read committed'; SET statement_timeout = {}",
            timeout.as_millis().clamp(1, 2_000_000_000)
        );
        sqlx::raw_sql(AssertSqlSafe(settings))
            .execute(connection)
            .await?;
        Ok(())
    }
}

impl SharedStore for PostgresStore {
    fn parts(&self, workflow: &WorkflowName, wanted: u16) -> Pending<'_, Result<u16, StoreError>> {
        let workflow = workflow.clone();
        Box::pin(async move { self.parts_of(&workflow, wanted).await })
    }

    fn beat(&self, beat: &Beat) -> Pending<'_, Result<Fleet, StoreError>> {
        let beat = beat.clone();
        Box::pin(async move { self.take_beat(&beat).await })
    }

    fn leave(&self, member: &MemberId) -> Pending<'_, Result<(), StoreError>> {
        let query = sqlx::query(AssertSqlSafe(self.sql.leave.clone())).bind(member.0.clone());
        Box::pin(async move { self.fetch(query).await.map(drop) })
    }

    fn claim(
        &self,
        part: &Part,
        member: &MemberId,
    ) -> Pending<'_, Result<Option<Claim>, StoreError>> {
        let (part, member) = (part.clone(), member.clone());
        Box::pin(async move { self.take_claim(&part, &member).await })
    }

    fn release(&self, part: &Part, epoch: Epoch) -> Pending<'_, Result<(), StoreError>> {
        let part = part.clone();
        Box::pin(async move {
            let Some(number) = self.number_of(&part).await? else {
                return Ok(());
            };
            let query = sqlx::query(AssertSqlSafe(self.sql.release.clone()))
                .bind(number)
                .bind(i64::from(epoch.0));
            self.fetch(query).await.map(drop)
        })
    }

    fn write(&self, commits: Vec<PartCommit>) -> Pending<'_, Result<Vec<Written>, StoreError>> {
        Box::pin(async move { self.write_all(&commits).await })
    }

    fn histories(
        &self,
        part: &Part,
        ids: Vec<InstanceId>,
    ) -> Pending<'_, Result<Vec<HistoryRow>, StoreError>> {
        let part = part.clone();
        Box::pin(async move { self.read_histories(&part, ids).await })
    }

    fn page(
        &self,
        part: &Part,
        table: Table,
        from: Bytes,
        to: Option<Bytes>,
        limit: usize,
    ) -> Pending<'_, Result<Rows, StoreError>> {
        let part = part.clone();
        Box::pin(async move {
            let Some(number) = self.number_of(&part).await? else {
                return Ok(Rows::new());
            };
            match table {
                Table::History => {
                    self.page_histories(number, &from, to.as_deref(), limit)
                        .await
                }
                _ => {
                    self.page_rows(number, table, &from, to.as_deref(), limit)
                        .await
                }
            }
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.connections.close())
    }

    fn counters(&self) -> SharedCounters {
        self.connections.counters()
    }
}
