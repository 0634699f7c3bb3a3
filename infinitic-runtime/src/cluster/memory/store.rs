//! The shared store in memory: what every driver is measured against, and what the simulation runs
//! on. Plain rather than fast.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};

use crate::backend::{RowOp, StoreError, Table};
use crate::clock::{Clock, SystemClock};
use crate::cluster::store::{
    Beat, Claim, CommitId, Epoch, Fleet, HistoryRow, Member, MemberId, Owned, Part, PartCommit,
    Pending, Rows, SharedCounters, SharedStore, Written, no_such_part,
};
use crate::worker::layout;

/// When a member whose lease ran out is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// A shared store that lives as long as its handles. Each clone is a handle to the same rows.
///
/// What the trait offers is here without futures too (`write_now` and so on), for the simulation.
#[derive(Clone, Debug)]
pub struct MemorySharedStore {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Inner {
    parts: BTreeMap<Part, PartRows>,
    members: BTreeMap<MemberId, MemberRow>,
    counters: SharedCounters,
}

#[derive(Debug, Default)]
struct PartRows {
    epoch: u32,
    owner: Option<MemberId>,
    /// The last owner, also after a release.
    last: Option<MemberId>,
    /// The last owner that was another than `last`.
    before: Option<MemberId>,
    committed: CommitId,
    history: BTreeMap<(InstanceId, u32), (CommitId, Bytes)>,
    tables: BTreeMap<Table, BTreeMap<Bytes, Bytes>>,
}

#[derive(Debug)]
struct MemberRow {
    hosts: Vec<WorkflowName>,
    lease_until: Timestamp,
}

impl Default for MemorySharedStore {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl MemorySharedStore {
    /// An empty store, whose leases run by a clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::default(),
            clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock, and rows are all there is to protect.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.counters.round_trips += 1;
        inner
    }

    /// [`SharedStore::parts`], at once.
    #[must_use]
    pub fn parts_now(&self, workflow: &WorkflowName, wanted: u16) -> u16 {
        let mut inner = self.counted();
        let of_workflow = |part: &&Part| part.workflow == *workflow;
        let there = inner.parts.keys().filter(of_workflow).count();
        if there > 0 {
            return u16::try_from(there).expect("numbers of parts are sixteen bits wide");
        }
        let wanted = wanted.max(1);
        for number in 0..wanted {
            let workflow = workflow.clone();
            let part = Part { workflow, number };
            inner.parts.insert(part, PartRows::default());
        }
        wanted
    }

    /// [`SharedStore::beat`], at once.
    #[must_use]
    pub fn beat_now(&self, beat: &Beat) -> Fleet {
        let now = self.clock.now();
        let mut inner = self.counted();
        let row = MemberRow {
            hosts: beat.hosts.clone(),
            lease_until: now + beat.lease,
        };
        inner.members.insert(beat.member.clone(), row);
        let forgotten = |row: &MemberRow| row.lease_until + FORGOTTEN_AFTER <= now;
        inner.members.retain(|_, row| !forgotten(row));
        let alive = inner.members.iter().filter(|(_, row)| row.is_alive(now));
        let members = alive.map(|(id, row)| Member {
            id: id.clone(),
            hosts: row.hosts.clone(),
        });
        let parts = inner.parts.iter().map(|(part, rows)| Owned {
            part: part.clone(),
            epoch: Epoch(rows.epoch),
            owner: rows.owner.clone(),
        });
        Fleet {
            now,
            members: members.collect(),
            parts: parts.collect(),
        }
    }

    /// [`SharedStore::leave`], at once.
    pub fn leave_now(&self, member: &MemberId) {
        self.counted().members.remove(member);
    }

    /// [`SharedStore::claim`], at once.
    ///
    /// # Errors
    /// As there.
    pub fn claim_now(&self, part: &Part, member: &MemberId) -> Result<Option<Claim>, StoreError> {
        let now = self.clock.now();
        let inner = &mut *self.counted();
        let Some(rows) = inner.parts.get_mut(part) else {
            return Err(no_such_part(part));
        };
        if let Some(owner) = &rows.owner
            && owner != member
            && inner
                .members
                .get(owner)
                .is_some_and(|row| row.is_alive(now))
        {
            return Ok(None);
        }
        rows.epoch += 1;
        rows.owner = Some(member.clone());
        if rows.last.as_ref() != Some(member) {
            rows.before = rows.last.replace(member.clone());
        }
        Ok(Some(Claim {
            epoch: Epoch(rows.epoch),
            before: rows.before.clone(),
        }))
    }

    /// [`SharedStore::release`], at once.
    pub fn release_now(&self, part: &Part, epoch: Epoch) {
        let mut inner = self.counted();
        if let Some(rows) = inner.parts.get_mut(part)
            && rows.epoch == epoch.0
        {
            rows.owner = None;
        }
    }

    /// [`SharedStore::write`], at once.
    #[must_use]
    pub fn write_now(&self, commits: &[PartCommit]) -> Vec<Written> {
        let inner = &mut *self.counted();
        let counters = &mut inner.counters;
        counters.commits += 1;
        let written = commits.iter().map(|commit| {
            counters.add_rows_of(commit);
            match inner.parts.get_mut(&commit.part) {
                Some(rows) => rows.write(commit),
                None => Written::NotOwner,
            }
        });
        written.collect()
    }

    /// [`SharedStore::histories`], at once.
    #[must_use]
    pub fn histories_now(&self, part: &Part, ids: &[InstanceId]) -> Vec<HistoryRow> {
        let inner = self.counted();
        let Some(rows) = inner.parts.get(part) else {
            return Vec::new();
        };
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().flat_map(|id| rows.history_of(*id)).collect()
    }

    /// [`SharedStore::page`], at once.
    #[must_use]
    pub fn page_now(
        &self,
        part: &Part,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Rows {
        let inner = self.counted();
        let Some(rows) = inner.parts.get(part) else {
            return Rows::new();
        };
        if table == Table::History {
            let keys = rows.history.range((first_id(from), 0)..);
            return keys
                .map(|((id, row), (_, value))| {
                    (Bytes::from(layout::history_key(*id, *row)), value.clone())
                })
                .skip_while(|(key, _)| **key < *from)
                .take_while(|(key, _)| to.is_none_or(|to| **key < *to))
                .take(limit)
                .collect();
        }
        let Some(table) = rows.tables.get(&table) else {
            return Rows::new();
        };
        table
            .range::<[u8], _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| to.is_none_or(|to| ***key < *to))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// The lowest id whose keys may not be below `from`.
fn first_id(from: &[u8]) -> InstanceId {
    let mut id = [0; 16];
    let given = from.len().min(id.len());
    id[..given].copy_from_slice(&from[..given]);
    InstanceId::from_bytes(id)
}

impl MemberRow {
    fn is_alive(&self, now: Timestamp) -> bool {
        self.lease_until > now
    }
}

impl PartRows {
    fn write(&mut self, commit: &PartCommit) -> Written {
        if self.committed != commit.commit || commit.commit == CommitId::NONE {
            let current = self.owner.is_some() && self.epoch == commit.epoch.0;
            if !current || commit.commit < self.committed {
                return Written::NotOwner;
            }
            self.committed = commit.commit;
            for row in &commit.history {
                self.append(row);
            }
            for op in &commit.ops {
                self.apply(op);
            }
        }
        let is_there = |row: &&HistoryRow| {
            let there = self.history.get(&(row.id, row.row));
            there.is_some_and(|(by, _)| *by == commit.commit)
        };
        let lost = commit.history.iter().filter(|row| !is_there(row));
        Written::Done {
            lost: lost.map(|row| row.id).collect(),
        }
    }

    fn append(&mut self, row: &HistoryRow) {
        let mut rows = self.history.range((row.id, 0)..=(row.id, u32::MAX));
        let fits = match rows.next_back() {
            None => row.row == 0,
            Some(((_, last), (by, _))) => last.checked_add(1) == Some(row.row) && *by == row.after,
        };
        if fits {
            let value = (row.commit, row.value.clone());
            self.history.insert((row.id, row.row), value);
        }
    }

    fn apply(&mut self, op: &RowOp) {
        if op.table == Table::History {
            if let Some(key) = layout::parse_history_key(&op.key) {
                self.history.remove(&key);
            }
            return;
        }
        let table = self.tables.entry(op.table).or_default();
        match &op.value {
            Some(value) => table.insert(op.key.clone(), value.clone()),
            None => table.remove(&op.key),
        };
    }

    fn history_of(&self, id: InstanceId) -> Vec<HistoryRow> {
        let mut history: Vec<HistoryRow> = Vec::new();
        for ((id, row), (commit, value)) in self.history.range((id, 0)..=(id, u32::MAX)) {
            let mut row = HistoryRow {
                id: *id,
                row: *row,
                after: CommitId::NONE,
                commit: *commit,
                value: value.clone(),
            };
            row.follow(history.last());
            history.push(row);
        }
        history
    }
}

impl SharedStore for MemorySharedStore {
    fn parts(&self, workflow: &WorkflowName, wanted: u16) -> Pending<'_, Result<u16, StoreError>> {
        let workflow = workflow.clone();
        Box::pin(async move { Ok(self.parts_now(&workflow, wanted)) })
    }

    fn beat(&self, beat: &Beat) -> Pending<'_, Result<Fleet, StoreError>> {
        let beat = beat.clone();
        Box::pin(async move { Ok(self.beat_now(&beat)) })
    }

    fn leave(&self, member: &MemberId) -> Pending<'_, Result<(), StoreError>> {
        let member = member.clone();
        Box::pin(async move {
            self.leave_now(&member);
            Ok(())
        })
    }

    fn claim(
        &self,
        part: &Part,
        member: &MemberId,
    ) -> Pending<'_, Result<Option<Claim>, StoreError>> {
        let (part, member) = (part.clone(), member.clone());
        Box::pin(async move { self.claim_now(&part, &member) })
    }

    fn release(&self, part: &Part, epoch: Epoch) -> Pending<'_, Result<(), StoreError>> {
        let part = part.clone();
        Box::pin(async move {
            self.release_now(&part, epoch);
            Ok(())
        })
    }

    fn write(&self, commits: Vec<PartCommit>) -> Pending<'_, Result<Vec<Written>, StoreError>> {
        Box::pin(async move { Ok(self.write_now(&commits)) })
    }

    fn histories(
        &self,
        part: &Part,
        ids: Vec<InstanceId>,
    ) -> Pending<'_, Result<Vec<HistoryRow>, StoreError>> {
        let part = part.clone();
        Box::pin(async move { Ok(self.histories_now(&part, &ids)) })
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
        Box::pin(async move { Ok(self.page_now(&part, table, &from, to.as_deref(), limit)) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn counters(&self) -> SharedCounters {
        self.lock().counters
    }
}
