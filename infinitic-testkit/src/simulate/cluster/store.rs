//! The shared store of the simulation: the one in memory, with what checks and planted bugs need.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use infinitic_core::{Entry, InstanceId, Timestamp, codec};
use infinitic_runtime::backend::{RowOp, Table};
use infinitic_runtime::clock::Clock;
use infinitic_runtime::cluster::memory::store::MemorySharedStore;
use infinitic_runtime::cluster::store::{
    CommitId, Epoch, HistoryRow, MemberId, Part, PartCommit, Written,
};

use super::Plant;

/// Tables in which nothing may be left when all records have been purged.
const MUST_BE_EMPTY: [Table; 5] = [
    Table::History,
    Table::Open,
    Table::Timers,
    Table::Purge,
    Table::DeadLetters,
];

/// The store's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The store, and what was removed from it.
#[derive(Debug)]
pub(crate) struct SimStore {
    pub(crate) rows: MemorySharedStore,
    pub(crate) parts: Vec<Part>,
    plant: Option<Plant>,
    /// The current epochs, for a store that forgets to compare.
    epochs: BTreeMap<Part, Epoch>,
    /// The last commits, for the same.
    last: BTreeMap<Part, CommitId>,
    /// The records that were purged, and when.
    pub(crate) purged: BTreeMap<InstanceId, (Vec<Entry>, Timestamp)>,
    /// How many rows of histories were written.
    pub(crate) appended: u64,
}

impl SimStore {
    pub(crate) fn new(rows: MemorySharedStore, parts: Vec<Part>, plant: Option<Plant>) -> Self {
        Self {
            rows,
            parts,
            plant,
            epochs: BTreeMap::new(),
            last: BTreeMap::new(),
            purged: BTreeMap::new(),
            appended: 0,
        }
    }

    pub(crate) fn claim(&mut self, part: &Part, member: &MemberId) -> Option<super::Claim> {
        let claim = self.rows.claim_now(part, member);
        let claim = claim.expect("the partitions were made at first")?;
        self.epochs.insert(part.clone(), claim.epoch);
        Some(claim)
    }

    pub(crate) fn write(&mut self, commits: &[PartCommit], now: Timestamp) -> Vec<Written> {
        commits
            .iter()
            .map(|commit| {
                self.note_purged(commit, now);
                let written = match self.plant {
                    Some(Plant::NoCompare) => self.write_blindly(commit),
                    Some(Plant::CompareCount) => self.write_counting(commit),
                    _ => self.rows.write_now(std::slice::from_ref(commit)).remove(0),
                };
                if written != Written::NotOwner {
                    self.appended += commit.history.len() as u64;
                }
                written
            })
            .collect()
    }

    /// Keeps what is about to be removed, if the store takes it.
    fn note_purged(&mut self, commit: &PartCommit, now: Timestamp) {
        for op in &commit.ops {
            let is_first = op.table == Table::History && op.key.get(16..) == Some(&[0; 4][..]);
            if !is_first || op.value.is_some() {
                continue;
            }
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&op.key[..16]);
            let id = InstanceId::from_bytes(bytes);
            let entries = self.stored(&commit.part, id);
            if !entries.is_empty() {
                self.purged.insert(id, (entries, now));
            }
        }
    }

    /// The planted bug: whoever writes, writes.
    fn write_blindly(&mut self, commit: &PartCommit) -> Written {
        let there = |row: &HistoryRow| {
            let key = [&row.id.as_bytes()[..], &row.row.to_be_bytes()].concat();
            let last = self.last_row(&commit.part, row.id).map(|last| last.row);
            (last == Some(row.row)).then(|| RowOp {
                table: Table::History,
                key: key.into(),
                value: None,
            })
        };
        let replaced: Vec<RowOp> = commit.history.iter().filter_map(there).collect();
        let mut forged = self.forge(commit);
        if !replaced.is_empty() {
            let removal = PartCommit {
                history: Vec::new(),
                ops: replaced,
                ..forged
            };
            drop(self.rows.write_now(&[removal]));
            forged = self.forge(commit);
        }
        self.append(forged)
    }

    /// The planted bug: a row is taken when its number is the next one, whoever writes it.
    fn write_counting(&mut self, commit: &PartCommit) -> Written {
        let forged = self.forge(commit);
        self.append(forged)
    }

    /// The same commit under the current claim, after the last one.
    fn forge(&mut self, commit: &PartCommit) -> PartCommit {
        let last = self.last.entry(commit.part.clone()).or_default();
        *last = CommitId(last.0.max(commit.commit.0) + 1);
        PartCommit {
            epoch: self
                .epochs
                .get(&commit.part)
                .copied()
                .unwrap_or(commit.epoch),
            commit: *last,
            ..commit.clone()
        }
    }

    fn append(&mut self, mut commit: PartCommit) -> Written {
        let mut lost = Vec::new();
        commit.history.retain_mut(|row| {
            let last = self.last_row(&commit.part, row.id);
            row.after = last.as_ref().map_or(CommitId::NONE, |last| last.commit);
            let fits = row.row == last.map_or(0, |last| last.row + 1);
            if !fits {
                lost.push(row.id);
            }
            fits
        });
        match self.rows.write_now(&[commit]).remove(0) {
            Written::NotOwner => Written::NotOwner,
            Written::Done { .. } if self.plant == Some(Plant::NoCompare) => {
                Written::Done { lost: Vec::new() }
            }
            Written::Done { .. } => Written::Done { lost },
        }
    }

    fn last_row(&self, part: &Part, id: InstanceId) -> Option<HistoryRow> {
        self.rows.histories_now(part, &[id]).pop()
    }

    fn stored(&self, part: &Part, id: InstanceId) -> Vec<Entry> {
        let rows = self.rows.histories_now(part, &[id]);
        let decoded = rows
            .iter()
            .filter_map(|row| codec::decode_row(&row.value).ok());
        decoded.flat_map(|(_, entries)| entries).collect()
    }

    /// What is stored of an instance, or was until it was purged.
    pub(crate) fn entries(&self, part: &Part, id: InstanceId) -> Vec<Entry> {
        let stored = self.stored(part, id);
        match self.purged.get(&id) {
            Some((purged, _)) if stored.is_empty() => purged.clone(),
            _ => stored,
        }
    }

    /// The current epoch of a partition.
    pub(crate) fn epoch(&self, part: &Part) -> Epoch {
        self.epochs.get(part).copied().unwrap_or(Epoch(0))
    }

    /// The tables that are not empty, with how many rows they have.
    pub(crate) fn residue(&self) -> Vec<String> {
        let mut found = Vec::new();
        for part in &self.parts {
            for table in MUST_BE_EMPTY {
                let rows = self.rows.page_now(part, table, &[], None, 1_000);
                if !rows.is_empty() {
                    let keys: Vec<_> = rows.iter().map(|(key, _)| key).take(3).collect();
                    let (count, name) = (rows.len(), table.name());
                    found.push(format!(
                        "{count} rows of {part} are left in `{name}`: {keys:02x?}"
                    ));
                }
            }
        }
        found
    }
}
