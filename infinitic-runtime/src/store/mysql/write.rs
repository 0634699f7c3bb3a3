//! Rounds into MySQL.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::text::{Packets, push, push_hex};
use super::{MysqlStore, TRIES, damaged, errors, fetch};
use crate::backend::StoreError;
use crate::cluster::store::{PartCommit, Written};
use crate::store::sql::batch::{Append, Batch, Change, Outcome, PartNumber, pieces};
use crate::worker::layout;

/// Larger values travel by themselves, as they are instead of as text.
const LARGE: usize = 64 << 10;
/// Bytes of a packet, roughly: far from the least that a server must take.
const PACKET: usize = 2 << 20;
/// Keys that one statement names.
const KEYS: usize = 1_000;
/// What the server needs of a packet beside the value.
const MARGIN: usize = 64 << 10;

type Key = [u8; layout::HISTORY_KEY];

fn key(id: infinitic_core::InstanceId, row: u32) -> Key {
    let key = layout::history_key(id, row);
    key.try_into()
        .expect("keys of history rows have one length")
}

/// What the server knows of the partitions and rows of a batch, while they are locked.
#[derive(Debug, Default)]
struct Known {
    /// Partitions that this batch may write.
    fresh: HashSet<PartNumber>,
    /// Partitions that have this commit already.
    repeated: HashSet<PartNumber>,
    /// The commits of the rows before the new ones.
    before: HashMap<(PartNumber, Key), i64>,
}

impl MysqlStore {
    pub(super) async fn write_all(
        &self,
        commits: &[PartCommit],
    ) -> Result<Vec<Written>, StoreError> {
        self.check_sizes(commits)?;
        let numbers = self
            .numbers_of(commits.iter().map(|commit| &commit.part))
            .await?;
        let mut written = Vec::with_capacity(commits.len());
        for piece in pieces(commits) {
            let batch = Batch::new(piece, &numbers);
            let outcome = if batch.fences.is_empty() {
                Outcome::default()
            } else {
                self.write_batch(&batch).await?
            };
            self.connections.count_commits(piece);
            written.extend(outcome.answers(piece, &numbers));
        }
        Ok(written)
    }

    /// Says what is too large before anything is written: it would be too large for ever.
    fn check_sizes(&self, commits: &[PartCommit]) -> Result<(), StoreError> {
        let max = self.packet_max.load(Ordering::Relaxed) - MARGIN;
        let ops = commits.iter().flat_map(|commit| &commit.ops);
        let values = ops.filter_map(|op| op.value.as_ref());
        let rows = commits.iter().flat_map(|commit| &commit.history);
        let largest = values
            .chain(rows.map(|row| &row.value))
            .map(|v| v.len())
            .max();
        match largest.filter(|size| *size > max) {
            None => Ok(()),
            Some(size) => Err(StoreError::Refused(format!(
                "a row of {size} bytes is larger than the {max} that the database {} takes; keep \
                 large values elsewhere and send a reference, or raise max_allowed_packet",
                self.connections.place()
            ))),
        }
    }

    async fn write_batch(&self, batch: &Batch<'_>) -> Result<Outcome, StoreError> {
        let mut tries = 1;
        loop {
            let call = self.connections.call(async {
                let mut lease = self.connections.take().await?;
                let outcome = self.transact(lease.get()?, batch).await?;
                lease.give_back();
                Ok(outcome)
            });
            match call.await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if errors::is_lost_race(&error) && tries < TRIES => tries += 1,
                Err(error) => return Err(error.passing(self.connections.place())),
            }
        }
    }

    async fn transact(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch<'_>,
    ) -> Result<Outcome, sqlx::Error> {
        let known = self.lock(connection, batch).await?;
        let appended = if known.fresh.is_empty() {
            fetch(connection, "ROLLBACK".to_owned()).await?;
            self.connections.count_round_trips(1);
            0
        } else {
            self.write_known(connection, batch, &known).await?
        };
        let mut outcome = Outcome::default();
        if appended != batch.appends.len() as u64 {
            outcome.there = Some(self.read_there(connection, batch).await?);
        }
        outcome.taken.extend(known.fresh);
        outcome.taken.extend(known.repeated);
        Ok(outcome)
    }

    /// Locks the partitions and reads what decides.
    async fn lock(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch<'_>,
    ) -> Result<Known, sqlx::Error> {
        let mut packets = Packets::new(PACKET);
        packets.add("START TRANSACTION");
        let parts: Vec<String> = batch.fences.iter().map(|f| f.part.to_string()).collect();
        packets.add(&self.names.fill(&format!(
            "SELECT 0, id, epoch, owner IS NOT NULL, committed FROM {{parts}} \
             WHERE id IN ({}) ORDER BY id FOR UPDATE",
            parts.join(", ")
        )));
        let before =
            |new: &Append<'_>| Some((new.part, key(new.row.id, new.row.row.checked_sub(1)?)));
        self.add_lookups(&mut packets, batch.appends.iter().filter_map(before));
        let mut known = Known::default();
        for row in self.send(connection, packets).await? {
            if row.try_get::<i64, _>(0)? == 1 {
                let (part, key, commit) = history_row(&row)?;
                known.before.insert((part, key), commit);
                continue;
            }
            let part: i32 = row.try_get(1)?;
            let (epoch, committed): (i64, i64) = (row.try_get(2)?, row.try_get(4)?);
            let is_owned = row.try_get::<i64, _>(3)? == 1;
            let Some(fence) = batch.fences.iter().find(|fence| fence.part == part) else {
                continue;
            };
            if committed == fence.commit {
                known.repeated.insert(part);
            } else if is_owned && epoch == fence.epoch && committed < fence.commit {
                known.fresh.insert(part);
            }
        }
        Ok(known)
    }

    /// Asks for the commits of history rows, by their keys.
    fn add_lookups(&self, packets: &mut Packets, keys: impl Iterator<Item = (PartNumber, Key)>) {
        let mut by_part: HashMap<PartNumber, Vec<Key>> = HashMap::new();
        for (part, key) in keys {
            by_part.entry(part).or_default().push(key);
        }
        for (part, keys) in by_part {
            for keys in keys.chunks(KEYS) {
                let list = super::list(keys.iter().map(<[u8; 20]>::as_slice));
                packets.add(&self.names.fill(&format!(
                    "SELECT 1, part, row_key, commit_id FROM {{history}} \
                     WHERE part = {part} AND row_key IN ({list})"
                )));
            }
        }
    }

    /// Writes what fits, and commits. Answers how many history rows were appended.
    async fn write_known(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch<'_>,
        known: &Known,
    ) -> Result<u64, sqlx::Error> {
        let is_fresh = |part: PartNumber| known.fresh.contains(&part);
        let fits = |new: &&Append<'_>| {
            let before = new.row.row.checked_sub(1);
            let before = before.map(|row| known.before.get(&(new.part, key(new.row.id, row))));
            let after = new.row.after.0.cast_signed();
            is_fresh(new.part) && before.is_none_or(|commit| commit == Some(&after))
        };
        let commits: HashMap<PartNumber, i64> = batch
            .fences
            .iter()
            .map(|fence| (fence.part, fence.commit))
            .collect();
        let (large, small): (Vec<_>, Vec<_>) = batch
            .appends
            .iter()
            .filter(fits)
            .partition(|new| new.row.value.len() > LARGE);
        let mut appended = self.append_large(connection, &large, &commits).await?;
        let puts = batch.puts.iter().filter(|put| is_fresh(put.part));
        let (large, puts): (Vec<_>, Vec<_>) =
            puts.partition(|put| put.value.is_some_and(|value| value.len() > LARGE));
        self.put_large(connection, &large).await?;

        let mut packets = Packets::new(PACKET);
        self.add_fences(&mut packets, batch, known);
        let insert = "INSERT IGNORE INTO {history} (part, row_key, commit_id, value) VALUES ";
        packets.add_rows(
            [&self.names.fill(insert), "", "SELECT ROW_COUNT()"],
            small,
            |text, new| {
                push(text, format_args!("({},", new.part));
                push_hex(text, &key(new.row.id, new.row.row));
                push(text, format_args!(",{},", commits[&new.part]));
                push_hex(text, &new.row.value);
                text.push(')');
            },
        );
        self.add_puts(&mut packets, puts);
        self.add_removals(&mut packets, batch, known);
        packets.add("COMMIT");
        for row in self.send(connection, packets).await? {
            appended += u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
        }
        Ok(appended)
    }

    async fn append_large(
        &self,
        connection: &mut MySqlConnection,
        rows: &[&Append<'_>],
        commits: &HashMap<PartNumber, i64>,
    ) -> Result<u64, sqlx::Error> {
        let insert = "INSERT IGNORE INTO {history} (part, row_key, commit_id, value) \
             VALUES (?, ?, ?, ?)";
        let mut appended = 0;
        for new in rows {
            let key = key(new.row.id, new.row.row);
            let insert = sqlx::query(AssertSqlSafe(self.names.fill(insert)))
                .bind(new.part)
                .bind(key.as_slice())
                .bind(commits[&new.part])
                .bind(&*new.row.value);
            appended += insert.execute(&mut *connection).await?.rows_affected();
            self.connections.count_round_trips(1);
        }
        Ok(appended)
    }

    async fn put_large(
        &self,
        connection: &mut MySqlConnection,
        rows: &[&Change<'_>],
    ) -> Result<(), sqlx::Error> {
        let put = "REPLACE INTO {rows} (part, tab, row_key, value) VALUES (?, ?, ?, ?)";
        for row in rows {
            sqlx::query(AssertSqlSafe(self.names.fill(put)))
                .bind(row.part)
                .bind(row.table)
                .bind(row.key)
                .bind(row.value.unwrap_or_default())
                .execute(&mut *connection)
                .await?;
            self.connections.count_round_trips(1);
        }
        Ok(())
    }

    fn add_fences(&self, packets: &mut Packets, batch: &Batch<'_>, known: &Known) {
        let fences = batch
            .fences
            .iter()
            .filter(|f| known.fresh.contains(&f.part));
        let mut cases = String::new();
        let mut parts = Vec::new();
        for fence in fences {
            push(
                &mut cases,
                format_args!(" WHEN {} THEN {}", fence.part, fence.commit),
            );
            parts.push(fence.part.to_string());
        }
        packets.add(&self.names.fill(&format!(
            "UPDATE {{parts}} SET committed = CASE id{cases} END WHERE id IN ({})",
            parts.join(", ")
        )));
    }

    fn add_puts(&self, packets: &mut Packets, puts: Vec<&Change<'_>>) {
        let put = "INSERT INTO {rows} (part, tab, row_key, value) VALUES ";
        let again = " ON DUPLICATE KEY UPDATE value = VALUES(value)";
        packets.add_rows([&self.names.fill(put), again, ""], puts, |text, put| {
            push(text, format_args!("({},{},", put.part, put.table));
            push_hex(text, put.key);
            text.push(',');
            push_hex(text, put.value.unwrap_or_default());
            text.push(')');
        });
    }

    fn add_removals(&self, packets: &mut Packets, batch: &Batch<'_>, known: &Known) {
        let is_fresh = |part: &PartNumber| known.fresh.contains(part);
        let mut gone: HashMap<(PartNumber, i16), Vec<&[u8]>> = HashMap::new();
        for row in batch.removals.iter().filter(|row| is_fresh(&row.part)) {
            gone.entry((row.part, row.table)).or_default().push(row.key);
        }
        for ((part, table), keys) in gone {
            let delete = self.names.fill(&format!(
                "DELETE FROM {{rows}} WHERE part = {part} AND tab = {table} AND row_key IN ("
            ));
            for keys in keys.chunks(KEYS) {
                packets.add_rows([&delete, ")", ""], keys, |text, key| push_hex(text, key));
            }
        }
        let mut purged: HashMap<PartNumber, Vec<Key>> = HashMap::new();
        for row in batch.purges.iter().filter(|row| is_fresh(&row.part)) {
            purged
                .entry(row.part)
                .or_default()
                .push(key(row.id, row.row));
        }
        for (part, keys) in purged {
            let delete = self.names.fill(&format!(
                "DELETE FROM {{history}} WHERE part = {part} AND row_key IN ("
            ));
            for keys in keys.chunks(KEYS) {
                packets.add_rows([&delete, ")", ""], keys, |text, key| push_hex(text, key));
            }
        }
    }

    /// The instances whose row of the batch is there.
    async fn read_there(
        &self,
        connection: &mut MySqlConnection,
        batch: &Batch<'_>,
    ) -> Result<HashSet<(PartNumber, infinitic_core::InstanceId)>, sqlx::Error> {
        let fences = batch.fences.iter();
        let commits: HashMap<PartNumber, i64> = fences.map(|f| (f.part, f.commit)).collect();
        let mut packets = Packets::new(PACKET);
        let keys = batch
            .appends
            .iter()
            .map(|new| (new.part, key(new.row.id, new.row.row)));
        self.add_lookups(&mut packets, keys);
        let mut there = HashSet::new();
        for row in self.send(connection, packets).await? {
            let (part, key, commit) = history_row(&row)?;
            if commits.get(&part) == Some(&commit)
                && let Some((id, _)) = layout::parse_history_key(&key)
            {
                there.insert((part, id));
            }
        }
        Ok(there)
    }

    async fn send(
        &self,
        connection: &mut MySqlConnection,
        packets: Packets,
    ) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let mut rows = Vec::new();
        for packet in packets.finish() {
            rows.extend(fetch(connection, packet).await?);
            self.connections.count_round_trips(1);
        }
        Ok(rows)
    }
}

/// Partition, key and commit of a row that was asked for.
fn history_row(row: &MySqlRow) -> Result<(PartNumber, Key, i64), sqlx::Error> {
    let key: &[u8] = row.try_get(2)?;
    let key = key.try_into().map_err(|_| {
        let length = format!("a key of {} bytes", key.len());
        sqlx::Error::Decode(damaged(length).into())
    })?;
    Ok((row.try_get(1)?, key, row.try_get(3)?))
}
