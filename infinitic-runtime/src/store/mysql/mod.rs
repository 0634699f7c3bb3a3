//! MySQL (8 or newer) or MariaDB (10.6 or newer) as the database that workers share.
//!
//! # What it needs
//!
//! - A user that may, at the first start, make tables: `GRANT CREATE, ALTER, INDEX, SELECT,
//!   INSERT, UPDATE, DELETE ON database.* TO …`. The tables are made once, by whichever worker is
//!   first. Later starts need no more than `SELECT, INSERT, UPDATE, DELETE` on them.
//! - `innodb_flush_log_at_trx_commit = 1` (the default), and `sync_binlog = 1` where there is a
//!   binary log: an answered write is durable. The store looks at the start, and warns when they
//!   are otherwise.
//! - A binary log of format `ROW` or `MIXED` (the defaults), where there is one.
//! - `max_allowed_packet` of at least 4 MB, and larger than the largest value.
//! - As many connections a worker as [`SqlSettings::connections`] says (8). Each sets its session
//!   up for itself: a proxy in between must pool sessions.
//!
//! # How it writes
//!
//! A round is one transaction of two packets. The first locks the rows of the partitions, reads
//! their epochs, and reads the commits of the rows before the new ones. What is to be written is
//! decided here; the second packet writes it and commits. A claim waits for that lock, so a round
//! either ends before it, or finds another epoch. A worker that stands still between the packets
//! loses its transaction when the server has waited for ten seconds.

mod errors;
mod pages;
mod schema;
mod text;
mod write;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};
use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySql, MySqlConnection, MySqlPool, Row as _};

use super::sql::SqlSettings;
use super::sql::batch::PartNumber;
use super::sql::connections::{Connections, Prepare, Source};
use crate::backend::{StoreError, Table};
use crate::cluster::store::{
    Beat, Claim, Epoch, Fleet, HistoryRow, Member, MemberId, Owned, Part, PartCommit, Pending,
    Rows, SharedCounters, SharedStore, Written, no_such_part,
};
use text::{Names, hex, list};

/// How often a transaction that lost against another is tried again before the caller hears of it.
const TRIES: u32 = 5;

/// A shared store in MySQL or MariaDB.
#[derive(Debug)]
pub struct MysqlStore {
    connections: Connections<MySql>,
    names: Names,
    /// Numbers of partitions in the tables; they never change.
    numbers: Mutex<HashMap<Part, PartNumber>>,
    /// What the server takes at once, in bytes.
    packet_max: AtomicUsize,
}

impl MysqlStore {
    /// Connects, and makes or migrates the tables.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the server cannot be reached, which may pass;
    /// [`StoreError::Refused`] for a wrong password, an unknown database, missing rights or
    /// settings that cannot be; [`StoreError::NewerFormat`] when a newer program has the tables.
    ///
    /// **Cancellation:** the tables may be made in part; the next start makes the others.
    pub async fn open(settings: &SqlSettings) -> Result<Self, StoreError> {
        settings.check()?;
        let options: MySqlConnectOptions = settings.url.parse().map_err(|error| {
            StoreError::Refused(format!(
                "the address of the database is not understood ({error}); write \
                 mysql://user:password@host:3306/database"
            ))
        })?;
        let options = Box::new(options.disable_statement_logging());
        Self::start(Source::Server(options), settings).await
    }

    /// The same with connections of the application's pool; the `url` of the settings is only told
    /// in messages. The store takes up to [`SqlSettings::connections`] out of the pool, sets its
    /// own session settings on them, and ends them when it is closed: a pool must have that many to
    /// spare.
    ///
    /// # Errors
    /// As [`MysqlStore::open`].
    pub async fn with_pool(pool: MySqlPool, settings: &SqlSettings) -> Result<Self, StoreError> {
        settings.check()?;
        Self::start(Source::Pool(pool), settings).await
    }

    async fn start(source: Source<MySql>, settings: &SqlSettings) -> Result<Self, StoreError> {
        let store = Self {
            connections: Connections::new(source, settings),
            names: Names::new(settings),
            numbers: Mutex::default(),
            packet_max: AtomicUsize::default(),
        };
        store.prepare_tables(settings).await?;
        Ok(store)
    }

    fn numbers(&self) -> MutexGuard<'_, HashMap<Part, PartNumber>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements that need no transaction beyond themselves, or are a whole one, and answers
    /// all rows that they select.
    async fn run(&self, text: &str) -> Result<Vec<MySqlRow>, StoreError> {
        let text = self.names.fill(text);
        let mut tries = 1;
        loop {
            self.connections.count_round_trips(1);
            let call = self.connections.call(async {
                let mut lease = self.connections.take().await?;
                let rows = fetch(lease.get()?, text.clone()).await?;
                lease.give_back();
                Ok(rows)
            });
            match call.await {
                Ok(rows) => return Ok(rows),
                Err(error) if errors::is_lost_race(&error) && tries < TRIES => tries += 1,
                Err(error) => return Err(error.passing(self.connections.place())),
            }
        }
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
        self.owned_of(None).await?;
        let numbers = self.numbers();
        let known = parts.filter_map(|part| Some((part.clone(), *numbers.get(part)?)));
        Ok(known.collect())
    }

    async fn number_of(&self, part: &Part) -> Result<Option<PartNumber>, StoreError> {
        Ok(self.numbers_of(std::iter::once(part)).await?.remove(part))
    }

    /// The partitions of some workflows, in order. Remembers their numbers.
    /// The partitions of one workflow name, or of all.
    async fn owned_of(&self, workflow: Option<&WorkflowName>) -> Result<Vec<Owned>, StoreError> {
        let wanted = workflow.map_or_else(String::new, |name| {
            format!("WHERE workflow = {}", hex(name.as_str().as_bytes()))
        });
        let rows = self
            .run(&format!(
                "SELECT id, workflow, number, epoch, owner FROM {{parts}} \
                 {wanted} ORDER BY workflow, number"
            ))
            .await?;
        let mut numbers = self.numbers();
        let owned = rows.iter().map(|row| {
            let number: i32 = row.try_get(2).map_err(damaged)?;
            let name = text_of(row, 1)?.unwrap_or_default();
            let part = Part {
                workflow: WorkflowName::parse(&name).map_err(damaged)?,
                number: u16::try_from(number).map_err(damaged)?,
            };
            numbers.insert(part.clone(), row.try_get(0).map_err(damaged)?);
            Ok(Owned {
                part,
                epoch: epoch_of(row, 3)?,
                owner: text_of(row, 4)?.map(MemberId),
            })
        });
        owned.collect()
    }

    async fn parts_of(&self, workflow: &WorkflowName, wanted: u16) -> Result<u16, StoreError> {
        let there = self.owned_of(Some(workflow)).await?.len();
        if there > 0 {
            return u16::try_from(there).map_err(damaged);
        }
        let name = hex(workflow.as_str().as_bytes());
        let wanted = wanted.max(1);
        // Whoever comes second waits for the first, and makes what the first has named.
        let rows = self
            .run(&format!(
                "INSERT IGNORE INTO {{workflows}} (name, partitions) VALUES ({name}, {wanted}); \
                 SELECT partitions FROM {{workflows}} WHERE name = {name}"
            ))
            .await?;
        let partitions: i32 = match rows.first() {
            Some(row) => row.try_get(0).map_err(damaged)?,
            None => return Err(damaged("a workflow is gone that was just written")),
        };
        let rows: Vec<String> = (0..partitions).map(|n| format!("({name}, {n})")).collect();
        let rows = rows.join(", ");
        self.run(&format!(
            "INSERT IGNORE INTO {{parts}} (workflow, number) VALUES {rows}"
        ))
        .await?;
        let there = self.owned_of(Some(workflow)).await?.len();
        u16::try_from(there).map_err(damaged)
    }

    async fn take_beat(&self, beat: &Beat) -> Result<Fleet, StoreError> {
        let member = hex(beat.member.0.as_bytes());
        // Names hold no control characters.
        let hosts: Vec<&str> = beat.hosts.iter().map(WorkflowName::as_str).collect();
        let hosts = hex(hosts.join("\n").as_bytes());
        let lease = i64::try_from(beat.lease.as_millis()).unwrap_or(i64::MAX / 2);
        let rows = self
            .run(&format!(
                "DELETE FROM {{members}} WHERE lease_until < {{now}} - {{day}}; \
                 INSERT INTO {{members}} (id, hosts, lease_until) \
                 VALUES ({member}, {hosts}, {{now}} + {lease}) ON DUPLICATE KEY UPDATE \
                 hosts = VALUES(hosts), lease_until = VALUES(lease_until); \
                 SELECT c.now_ms, m.id, m.hosts FROM (SELECT {{now}} AS now_ms) c \
                 LEFT JOIN {{members}} m ON m.lease_until > c.now_ms ORDER BY m.id"
            ))
            .await?;
        let mut now = Timestamp::default();
        let mut members = Vec::new();
        for row in &rows {
            let at: i64 = row.try_get(0).map_err(damaged)?;
            now = Timestamp::from_millis(at.cast_unsigned());
            if let Some(id) = text_of(row, 1)? {
                let hosts = text_of(row, 2)?.unwrap_or_default();
                let hosts = hosts.lines().map(WorkflowName::parse);
                members.push(Member {
                    id: MemberId(id),
                    hosts: hosts.collect::<Result<_, _>>().map_err(damaged)?,
                });
            }
        }
        Ok(Fleet {
            now,
            members,
            parts: self.owned_of(None).await?,
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
        let member = hex(member.0.as_bytes());
        // The server sets columns in the order in which they stand.
        let rows = self
            .run(&format!(
                "START TRANSACTION; SELECT id FROM {{parts}} WHERE id = {number} FOR UPDATE; \
                 UPDATE {{parts}} SET epoch = epoch + 1, owner_before = IF(last_owner = {member}, \
                 owner_before, last_owner), last_owner = {member}, owner = {member} \
                 WHERE id = {number} AND (owner IS NULL OR owner = {member} OR owner NOT IN \
                 (SELECT id FROM {{members}} WHERE lease_until > {{now}})); \
                 SELECT ROW_COUNT(), epoch, owner_before FROM {{parts}} WHERE id = {number}; \
                 COMMIT"
            ))
            .await?;
        let Some(row) = rows.last().filter(|row| row.len() == 3) else {
            return Err(no_such_part(part));
        };
        let claimed: i64 = row.try_get(0).map_err(damaged)?;
        if claimed == 0 {
            return Ok(None);
        }
        Ok(Some(Claim {
            epoch: epoch_of(row, 1)?,
            before: text_of(row, 2)?.map(MemberId),
        }))
    }
}

/// Runs statements and answers all rows that they select.
async fn fetch(
    connection: &mut MySqlConnection,
    text: String,
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text))
        .fetch_all(connection)
        .await
}

fn epoch_of(row: &MySqlRow, column: usize) -> Result<Epoch, StoreError> {
    let epoch: i64 = row.try_get(column).map_err(damaged)?;
    Ok(Epoch(u32::try_from(epoch).map_err(damaged)?))
}

/// A text that is stored as bytes, so that the server compares bytes.
fn text_of(row: &MySqlRow, column: usize) -> Result<Option<String>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column).map_err(damaged)?;
    bytes.map(String::from_utf8).transpose().map_err(damaged)
}

/// The error of a row that is not as this program writes it.
fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("a row of the database cannot be read: {error}"))
}

impl Prepare for MySql {
    async fn prepare(
        connection: &mut MySqlConnection,
        timeout: Duration,
    ) -> Result<(), sqlx::Error> {
        let seconds = timeout.as_secs().clamp(1, 3600);
        // Locks of a worker that stands still or whose machine is gone end with its session: so
        // the server does not wait for it for hours, as it would by default.
        let idle = seconds.max(10);
        // What does not fit is an error, never cut.
        let settings = format!(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
             SET SESSION autocommit = 1, time_zone = '+00:00', \
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             /*M! idle_transaction_timeout = {idle}, */ \
             innodb_lock_wait_timeout = {seconds}, wait_timeout = {idle}"
        );
        fetch(connection, settings).await.map(drop)
    }
}

impl SharedStore for MysqlStore {
    fn parts(&self, workflow: &WorkflowName, wanted: u16) -> Pending<'_, Result<u16, StoreError>> {
        let workflow = workflow.clone();
        Box::pin(async move { self.parts_of(&workflow, wanted).await })
    }

    fn beat(&self, beat: &Beat) -> Pending<'_, Result<Fleet, StoreError>> {
        let beat = beat.clone();
        Box::pin(async move { self.take_beat(&beat).await })
    }

    fn leave(&self, member: &MemberId) -> Pending<'_, Result<(), StoreError>> {
        let member = hex(member.0.as_bytes());
        Box::pin(async move {
            let text = format!("DELETE FROM {{members}} WHERE id = {member}");
            self.run(&text).await.map(drop)
        })
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
            let epoch = epoch.0;
            let text = format!(
                "UPDATE {{parts}} SET owner = NULL WHERE id = {number} AND epoch = {epoch}"
            );
            self.run(&text).await.map(drop)
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
            self.read_page(&part, table, &from, to.as_deref(), limit)
                .await
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.connections.close())
    }

    fn counters(&self) -> SharedCounters {
        self.connections.counters()
    }
}
