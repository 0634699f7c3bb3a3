//! The seam between the worker loops and a store: rows in tables, written in atomic durable
//! batches.
//!
//! A backend decides only how a commit becomes durable. The loops know this trait and nothing else;
//! `layout` says which rows there are. Drivers never use loops or clients.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use infinitic_core::{InstanceId, RunNo};

use crate::cluster::connection::Connection;
use crate::cluster::store::SharedCounters;
use crate::cluster::transport::TransportCounters;

pub mod memory;

/// The tables. Keys are bytes that sort as the backend iterates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// Histories: instance id, row number → header and entries.
    History,
    /// Instances that were open at the last checkpoint.
    Open,
    /// Timers that are due later than memory should hold.
    Timers,
    /// Ended instances by the time at which their record is purged.
    Purge,
    /// Few rows about the store itself.
    Meta,
    /// Messages that were set aside.
    DeadLetters,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::History,
        Self::Open,
        Self::Timers,
        Self::Purge,
        Self::Meta,
        Self::DeadLetters,
    ];

    /// The table's name on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Open => "open",
            Self::Timers => "timers",
            Self::Purge => "purge",
            Self::Meta => "meta",
            Self::DeadLetters => "dead_letters",
        }
    }
}

/// One change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOp {
    /// The table.
    pub table: Table,
    /// The row's key.
    pub key: Bytes,
    /// Its new value; none removes the row.
    pub value: Option<Bytes>,
}

/// Identity of a commit, unique among all that ever wrote the store (in a cluster: the partition).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u64);

impl CommitId {
    /// What the first row of an instance comes after.
    pub const NONE: Self = Self(0);

    /// The commit that comes so many after this one.
    #[must_use]
    pub fn plus(self, number: u64) -> Self {
        Self(self.0.wrapping_add(number))
    }
}

/// One appended history row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// The instance.
    pub id: InstanceId,
    /// Number of the row, from 0, without gaps.
    pub row: u32,
    /// The commit that wrote the row before it; [`CommitId::NONE`] for row 0.
    pub after: CommitId,
    /// The commit that writes it.
    pub commit: CommitId,
    /// Header and entries, as the codec made them.
    pub value: Bytes,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or the store's engine failed; it may work again later.
    #[error("{0}")]
    Io(String),
    /// Rows are damaged or missing.
    #[error("{0}")]
    Damaged(String),
    /// Another process owns the directory.
    #[error("{0}")]
    InUse(String),
    /// A newer version wrote it.
    #[error("{0}")]
    NewerFormat(String),
    /// Somebody must change something: an address, a password, a right, a setting.
    #[error("{0}")]
    Refused(String),
}

/// What a visitor of rows says after each of them.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Rows that a shard reads. All calls block; loops call them from threads of their own.
pub trait ReadRows: Send + Sync + fmt::Debug + 'static {
    /// One row.
    ///
    /// # Errors
    /// When the row cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Visits rows with `from <= key < to` (to the end when `to` is none) in order of their keys.
    ///
    /// # Errors
    /// When a row cannot be read.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError>;

    /// Reads the histories of some instances at once, where that saves questions.
    ///
    /// # Errors
    /// When they cannot be read.
    fn prefetch(&self, _ids: &[InstanceId]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notes the turn that a shard is about to run, or that it has come out of it: a note that
    /// outlives the process, though perhaps not the machine. Answers whether this store can.
    fn note_turn(&self, _shard: u16, _turn: Option<(InstanceId, RunNo)>) -> bool {
        false
    }

    /// The turns that stood in notes when the process before this one died.
    fn noted_turns(&self) -> Vec<(InstanceId, RunNo)> {
        Vec::new()
    }
}

/// A store of rows that belongs to one process. All calls block.
pub trait KeyValue: ReadRows {
    /// Writes batch `number` atomically: after `Ok` it is durable, after `Err` it is unknown
    /// whether all or nothing of it is (never a part), and the caller writes the *same* batch again
    /// until `Ok`. Numbers grow by one from [`KeyValue::last_batch`].
    ///
    /// # Errors
    /// [`StoreError::Io`] while the disk does not take it.
    fn write(&self, number: u64, batch: &[RowOp]) -> Result<(), StoreError>;

    /// Number of the last durable batch; 0 when nothing was ever written.
    fn last_batch(&self) -> u64;

    /// How many syncs of the disk were made, and bytes handed to it, since it was opened.
    fn counters(&self) -> StoreCounters {
        StoreCounters::default()
    }

    /// Releases what the store holds (locks, files) after making all durable.
    fn close(&self) {}
}

/// What a store has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounters {
    /// Syncs of the disk.
    pub syncs: u64,
    /// Rows written or removed.
    pub rows: u64,
    /// Bytes of keys and values handed over.
    pub bytes: u64,
}

/// Reads a store's counters at any time, also after the worker that wrote them was consumed by
/// `run`.
#[derive(Clone, Debug)]
pub struct StoreMeter(Metered);

#[derive(Clone, Debug)]
enum Metered {
    Own(Arc<dyn KeyValue>),
    Shared(Arc<Connection>),
}

impl StoreMeter {
    /// Of a store.
    #[must_use]
    pub fn new(store: Arc<dyn KeyValue>) -> Self {
        Self(Metered::Own(store))
    }

    /// What the store has cost so far.
    #[must_use]
    pub fn counters(&self) -> StoreCounters {
        match &self.0 {
            Metered::Own(store) => store.counters(),
            Metered::Shared(connection) => {
                let shared = connection.connected().1.map(|store| store.counters());
                let shared = shared.unwrap_or_default();
                StoreCounters {
                    syncs: shared.commits,
                    rows: shared.rows,
                    bytes: shared.bytes,
                }
            }
        }
    }

    /// Of a cluster's database, once it is connected: its commits count as syncs.
    pub(crate) fn shared(connection: Arc<Connection>) -> Self {
        Self(Metered::Shared(connection))
    }

    /// What broker and database of a cluster have cost so far; nothing on one machine alone.
    #[must_use]
    pub fn cluster(&self) -> (TransportCounters, SharedCounters) {
        let Metered::Shared(connection) = &self.0 else {
            return Default::default();
        };
        let (transport, store) = connection.connected();
        (
            transport.map(|it| it.counters()).unwrap_or_default(),
            store.map(|it| it.counters()).unwrap_or_default(),
        )
    }
}
