//! Commits laid out for statements: by kind of row instead of by partition.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use infinitic_core::InstanceId;

use crate::backend::{RowOp, Table};
use crate::cluster::store::{HistoryRow, Part, PartCommit, SharedCounters, Written};
use crate::worker::layout;

/// Bytes of one transaction, roughly; more are written in several, commit by commit.
pub(crate) const TRANSACTION_BYTES_MAX: usize = 32 << 20;

/// Number of a partition in the tables.
pub(crate) type PartNumber = i32;

/// The number of a table in the tables: never given to another.
pub(crate) fn table_number(table: Table) -> i16 {
    match table {
        Table::History => 0,
        Table::Open => 1,
        Table::Timers => 2,
        Table::Purge => 3,
        Table::Meta => 4,
        Table::DeadLetters => 5,
    }
}

/// What must hold for a commit, and its identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    pub(crate) part: PartNumber,
    pub(crate) epoch: i64,
    pub(crate) commit: i64,
}

/// A row to append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append<'a> {
    pub(crate) part: PartNumber,
    pub(crate) row: &'a HistoryRow,
}

/// The last op on the row of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) part: PartNumber,
    pub(crate) table: i16,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// A history row to remove.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purge {
    pub(crate) part: PartNumber,
    pub(crate) id: InstanceId,
    pub(crate) row: u32,
}

/// Some commits, none of them of an unknown partition.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) fences: Vec<Fence>,
    pub(crate) appends: Vec<Append<'a>>,
    pub(crate) puts: Vec<Change<'a>>,
    pub(crate) removals: Vec<Change<'a>>,
    pub(crate) purges: Vec<Purge>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(commits: &'a [PartCommit], numbers: &HashMap<Part, PartNumber>) -> Self {
        let mut batch = Self::default();
        for commit in commits {
            if let Some(part) = numbers.get(&commit.part) {
                batch.add(*part, commit);
            }
        }
        // The locks of rows are taken in one order everywhere.
        batch.fences.sort_unstable_by_key(|fence| fence.part);
        batch
    }

    fn add(&mut self, part: PartNumber, commit: &'a PartCommit) {
        self.fences.push(Fence {
            part,
            epoch: i64::from(commit.epoch.0),
            commit: commit.commit.0.cast_signed(),
        });
        let rows = commit.history.iter();
        self.appends.extend(rows.map(|row| Append { part, row }));
        // One statement may touch a row once, and knows no order: the last op of each key counts.
        let mut later = HashSet::new();
        for op in commit.ops.iter().rev() {
            if op.table == Table::History {
                if let Some((id, row)) = layout::parse_history_key(&op.key) {
                    self.purges.push(Purge { part, id, row });
                }
            } else if later.insert((op.table, &op.key)) {
                self.change(part, op);
            }
        }
    }

    fn change(&mut self, part: PartNumber, op: &'a RowOp) {
        let change = Change {
            part,
            table: table_number(op.table),
            key: &op.key,
            value: op.value.as_deref(),
        };
        match change.value {
            Some(_) => self.puts.push(change),
            None => self.removals.push(change),
        }
    }
}

/// Cuts commits into pieces of which each fits into a transaction, unless one commit alone does
/// not.
pub(crate) fn pieces(commits: &[PartCommit]) -> Vec<&[PartCommit]> {
    let mut pieces = Vec::new();
    let (mut begun, mut bytes) = (0, 0);
    for (n, commit) in commits.iter().enumerate() {
        let size = size(commit);
        if bytes + size > TRANSACTION_BYTES_MAX && n > begun {
            pieces.push(&commits[begun..n]);
            (begun, bytes) = (n, 0);
        }
        bytes += size;
    }
    if begun < commits.len() {
        pieces.push(&commits[begun..]);
    }
    pieces
}

fn size(commit: &PartCommit) -> usize {
    let mut counters = SharedCounters::default();
    counters.add_rows_of(commit);
    usize::try_from(counters.bytes).unwrap_or(usize::MAX)
}

/// What became of the commits of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Partitions whose commit is there.
    pub(crate) taken: HashSet<PartNumber>,
    /// Rows that are there, when some are not; none when all are.
    pub(crate) there: Option<HashSet<(PartNumber, InstanceId)>>,
}

impl Outcome {
    /// The answers for commits, in their order.
    pub(crate) fn answers(
        &self,
        commits: &[PartCommit],
        numbers: &HashMap<Part, PartNumber>,
    ) -> Vec<Written> {
        let answers = commits.iter().map(|commit| {
            let Some(part) = numbers.get(&commit.part) else {
                return Written::NotOwner;
            };
            if !self.taken.contains(part) {
                return Written::NotOwner;
            }
            let ids = commit.history.iter().map(|row| row.id);
            let lost = match &self.there {
                None => Vec::new(),
                Some(there) => ids.filter(|id| !there.contains(&(*part, *id))).collect(),
            };
            Written::Done { lost }
        });
        answers.collect()
    }
}

/// Bytes of a row that a driver lends.
pub(crate) fn owned(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
