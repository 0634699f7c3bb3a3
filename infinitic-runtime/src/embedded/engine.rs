//! The database itself: how `fjall` is set up, written and read. Nobody else knows it.
//!
//! Its errors leave this file sorted into two kinds only: the disk failed, or something is damaged.
//! Its panics are caught where it opens and writes: it asserts on files that it finds strange.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fjall::config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PartitioningPolicy};
use fjall::{
    AbstractTree as _, CompressionType, Database, Keyspace, KeyspaceCreateOptions, LsmError,
    OwnedWriteBatch, PersistMode, Readable as _, Slice,
};

use crate::backend::{RowOp, Table};

/// The keyspace that holds the number of the last batch, written with every batch. It is created
/// first and so has the first id; the tables follow in the order of [`Table::ALL`].
pub(super) const BATCHES: &str = "batches";
/// The id of [`BATCHES`] in journals and folder names; 0 is the database's own.
pub(super) const BATCHES_ID: u64 = 1;
/// Keyspaces on disk, the database's own included.
pub(super) const KEYSPACES: u64 = 2 + Table::ALL.len() as u64;
/// The only key in [`BATCHES`].
pub(super) const BATCH_KEY: &[u8] = b"last";

// Histories take nearly all rows. Of each buffer there may be one that is filled and two that are
// being written out; smaller ones cost more compaction, larger ones only memory.
const HISTORY_BUFFER: u64 = 4 * 1024 * 1024;
// The others see few or short rows, many of which are deleted soon: small buffers keep the
// tombstones that a scan must step over few.
const SMALL_BUFFER: u64 = 1024 * 1024;
const BATCHES_BUFFER: u64 = 512 * 1024;
// The database seals a full buffer when one of its threads comes to it, and lets it grow until
// then. Here the one who writes does it; the database's own limit is only the last resort.
const LAST_RESORT: u64 = 8;
const CACHE: u64 = 4 * 1024 * 1024;
// The least that the database allows. Older journals are made superfluous by flushing.
const JOURNALS: u64 = 64 * 1024 * 1024;
// One flushes while the other compacts.
const WORKERS: usize = 2;
const OPEN_FILES: usize = 256;

// The database waits inside a commit, for ever, at 4 sealed buffers or 30 unsorted tables, even
// when the threads that would clear them have died of a full disk. Waiting here, below that, ends
// when they die.
const SEALED_MAX: usize = 1;
const UNSORTED_MAX: usize = 20;
const WAIT: Duration = Duration::from_millis(1);

/// A page of a scan ends with the row that reaches one of these.
const PAGE_ROWS: usize = 1_000;
const PAGE_BYTES: usize = 1024 * 1024;
// Below this a copy is cheaper than keeping the whole block alive that the value is a part of.
const COPY_MAX: usize = 16 * 1024;

/// Why the database did not do what it was asked.
#[derive(Debug)]
pub(super) enum EngineError {
    /// The disk.
    Io(String),
    /// One of the database's own threads met an error and only said that there was one.
    Background(String),
    /// What is on disk is not what was written.
    Damaged(String),
}

/// The open database.
pub(super) struct Engine {
    database: Database,
    batches: Keyspace,
    tables: [Keyspace; Table::ALL.len()],
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the database in `dir`, creating what is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        guarded(|| {
            let database = Database::builder(dir)
                .manual_journal_persist(true)
                // Verified byte by byte before opening, which packed values would only slow down.
                .journal_compression(CompressionType::None)
                .max_journaling_size(JOURNALS)
                .cache_size(CACHE)
                .worker_threads(WORKERS)
                .max_cached_files(Some(OPEN_FILES))
                .open()?;
            let batches = database.keyspace(BATCHES, || options(BATCHES_BUFFER))?;
            let table = |table: Table| {
                let buffer = if table == Table::History {
                    HISTORY_BUFFER
                } else {
                    SMALL_BUFFER
                };
                database.keyspace(table.name(), || options(buffer))
            };
            let [a, b, c, d, e, f] = Table::ALL;
            let tables = [
                table(a)?,
                table(b)?,
                table(c)?,
                table(d)?,
                table(e)?,
                table(f)?,
            ];
            Ok(Self {
                batches,
                tables,
                database,
            })
        })
    }

    fn keyspace(&self, table: Table) -> &Keyspace {
        let index = Table::ALL.iter().position(|other| *other == table);
        &self.tables[index.expect("Invariant: Table::ALL lists every table")]
    }

    /// The number of the last batch; 0 when there is none.
    pub(super) fn last_batch(&self) -> Result<u64, EngineError> {
        let Some(value) = self.batches.get(BATCH_KEY)? else {
            return Ok(0);
        };
        parse_number(&value)
            .ok_or_else(|| EngineError::Damaged("the last batch's number is unreadable".into()))
    }

    /// Writes and syncs a batch.
    pub(super) fn commit(&self, number: u64, batch: &[RowOp]) -> Result<(), EngineError> {
        guarded(|| {
            self.wait_for_flushes()?;
            let mut rows = OwnedWriteBatch::with_capacity(self.database.clone(), batch.len() + 1)
                .durability(Some(PersistMode::SyncData));
            rows.insert(&self.batches, BATCH_KEY, number.to_be_bytes());
            for op in last_of_each_row(batch) {
                let keyspace = self.keyspace(op.table);
                match &op.value {
                    Some(value) => rows.insert(keyspace, &op.key[..], &value[..]),
                    None => rows.remove(keyspace, &op.key[..]),
                }
            }
            rows.commit()?;
            self.seal_full_buffers();
            Ok(())
        })
    }

    fn seal_full_buffers(&self) {
        let tables = Table::ALL.map(|table| (self.keyspace(table), buffer_of(table)));
        for (keyspace, buffer) in tables.into_iter().chain([(&self.batches, BATCHES_BUFFER)]) {
            if keyspace.tree.active_memtable().size() > buffer
                && let Err(error) = keyspace.rotate_memtable()
            {
                // The batch is durable; the next one will find the database broken.
                tracing::debug!(%error, "cannot seal a full buffer");
            }
        }
    }

    fn wait_for_flushes(&self) -> Result<(), EngineError> {
        let crowded = |keyspace: &Keyspace| {
            keyspace.sealed_memtable_count() > SEALED_MAX
                || keyspace.l0_table_count() > UNSORTED_MAX
        };
        while self.tables.iter().any(crowded) || crowded(&self.batches) {
            // Does nothing but tell whether the database still works.
            self.database.persist(PersistMode::Buffer)?;
            thread::park_timeout(WAIT);
        }
        Ok(())
    }

    /// One row.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.keyspace(table).get(key)?.map(to_bytes))
    }

    /// One row, by the id of its keyspace.
    pub(super) fn get_raw(&self, id: u64, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let all = || self.tables.iter().chain([&self.batches]);
        let Some(keyspace) = all().find(|keyspace| keyspace.id() == id) else {
            return Err(EngineError::Damaged(format!("keyspace {id} is missing")));
        };
        Ok(keyspace.get(key)?.map(to_bytes))
    }

    /// The first rows with `from <= key`, and `key < to` unless it is none, as of one moment; and
    /// whether there may be more.
    pub(super) fn page(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<(Vec<(Slice, Slice)>, bool), EngineError> {
        let keyspace = self.keyspace(table);
        let snapshot = self.database.snapshot();
        let rows = match to {
            Some(to) => snapshot.range(keyspace, from..to),
            None => snapshot.range(keyspace, from..),
        };
        let mut page = Vec::new();
        let mut bytes = 0;
        for row in rows {
            let (key, value) = row.into_inner()?;
            bytes += key.len() + value.len();
            page.push((key, value));
            if page.len() == PAGE_ROWS || bytes >= PAGE_BYTES {
                return Ok((page, true));
            }
        }
        Ok((page, false))
    }

    /// Closes the database: waits for its threads and syncs its journal.
    pub(super) fn close(self) -> Result<(), EngineError> {
        guarded(|| {
            let synced = self.database.persist(PersistMode::SyncAll);
            drop(self);
            Ok(synced?)
        })
    }
}

fn buffer_of(table: Table) -> u64 {
    if table == Table::History {
        HISTORY_BUFFER
    } else {
        SMALL_BUFFER
    }
}

fn options(buffer: u64) -> KeyspaceCreateOptions {
    // Ten bits for each key: a look for a row that is not there reads a block in one of a hundred.
    let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0));
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(LAST_RESORT * buffer)
        .filter_policy(FilterPolicy::all(bloom))
        // A look for one row reads some kilobytes of a table's filter and index, not all of them:
        // whole ones do not fit into a small cache, and a look then costs a quarter of a
        // millisecond.
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
}

/// Each row's last change. Two changes of a row in one batch would get the same sequence number,
/// and the database would keep either.
fn last_of_each_row(batch: &[RowOp]) -> impl Iterator<Item = &RowOp> {
    let mut seen = HashSet::with_capacity(if batch.len() > 1 { batch.len() } else { 0 });
    let alone = batch.len() == 1;
    batch
        .iter()
        .rev()
        .filter(move |op| alone || seen.insert((op.table, &op.key[..])))
}

pub(super) fn parse_number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn to_bytes(value: Slice) -> Bytes {
    if value.len() <= COPY_MAX {
        Bytes::copy_from_slice(&value)
    } else {
        Bytes::from_owner(value)
    }
}

fn guarded<T>(run: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(EngineError::Damaged(format!(
            "the database gave up: {text}"
        )))
    })
}

impl From<fjall::Error> for EngineError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => {
                Self::Io(error.to_string())
            }
            fjall::Error::Poisoned => {
                Self::Background("writing or compacting in the background failed".into())
            }
            fjall::Error::Locked => Self::Io("another program has the database open".into()),
            fjall::Error::Storage(LsmError::ChecksumMismatch { .. }) => {
                Self::Damaged("a block does not match its checksum".into())
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(text) | Self::Background(text) | Self::Damaged(text) => f.write_str(text),
        }
    }
}
