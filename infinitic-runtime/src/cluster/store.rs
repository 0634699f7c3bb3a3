//! The seam to a database that many workers share: rows of partitions, written by their owners.
//!
//! A *partition* is a part of the instances of one workflow name. It has one owner at a time, a
//! *member* of the fleet; each claim gives it a new *epoch*. A commit of a partition names the
//! epoch under which it was made: the store takes it only while that is the current one, so that a
//! worker that was stopped for an hour and wakes up can change nothing. A commit has a number too,
//! and the store takes none that is older than the last one: a call that hung in a network and
//! arrives late changes nothing either. Within it, each history row names the commit that wrote the
//! row before it.
//!
//! Drivers know this trait and no loops; loops know no driver.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};

pub use crate::backend::{CommitId, HistoryRow};
use crate::backend::{RowOp, StoreError, Table};
use crate::worker::layout;

/// A future that may cross threads, as the traits of this module give it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A part of the instances of a workflow name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// The workflow's name.
    pub workflow: WorkflowName,
    /// Number of the part, from 0.
    pub number: u16,
}

impl Part {
    /// The part to which an instance belongs, when there are so many.
    #[must_use]
    pub fn of(workflow: &WorkflowName, id: InstanceId, parts: u16) -> Self {
        Self {
            workflow: workflow.clone(),
            number: id.routing() % parts.max(1),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.workflow, self.number)
    }
}

/// One run of a worker process, for as long as it lives. A worker that starts again is another
/// member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub String);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Number of a claim of a partition: each new owner gets a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// What the identities of its commits are counted from.
    #[must_use]
    pub fn first_commit(self) -> CommitId {
        CommitId(u64::from(self.0) << 32)
    }
}

impl CommitId {
    /// Commit `number`, from 1, of an epoch.
    #[must_use]
    pub fn new(epoch: Epoch, number: u32) -> Self {
        epoch.first_commit().plus(u64::from(number))
    }
}

impl HistoryRow {
    /// Fills in which commit this row comes after, from the row that was read before it.
    pub(crate) fn follow(&mut self, before: Option<&Self>) {
        self.after = match before {
            Some(before) if before.id == self.id && before.row.checked_add(1) == Some(self.row) => {
                before.commit
            }
            Some(_) | None => CommitId::NONE,
        };
    }
}

/// What one round of a partition writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartCommit {
    /// The partition.
    pub part: Part,
    /// Under which claim.
    pub epoch: Epoch,
    /// Its identity, the same in each of its history rows, and higher than that of every commit of
    /// the partition before it. The next commit is written after this one was answered, not before.
    pub commit: CommitId,
    /// Rows that are appended: at most one of each instance.
    pub history: Vec<HistoryRow>,
    /// Index rows put and removed, history rows removed by the purge. Keys as `worker::layout`
    /// makes them, of 1,024 bytes at most. No put of a [`Table::History`] row is among them, and no
    /// removal of a row of an instance that `history` appends to.
    pub ops: Vec<RowOp>,
}

impl PartCommit {
    /// Takes the rows out.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            part: self.part.clone(),
            history: std::mem::take(&mut self.history),
            ops: std::mem::take(&mut self.ops),
            ..*self
        }
    }
}

/// What became of a [`PartCommit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable, but for these instances, whose predecessor was another commit than the one
    /// named. Of them no history row was written.
    Done {
        /// The losers; mostly none.
        lost: Vec<InstanceId>,
    },
    /// The epoch is not the current one, or was released, or a later commit of the partition is
    /// there already: this call wrote nothing of it.
    NotOwner,
}

/// What a member tells the store, every second or so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Who.
    pub member: MemberId,
    /// The workflow names whose partitions it is ready to own.
    pub hosts: Vec<WorkflowName>,
    /// How long it counts as alive from now on.
    pub lease: Duration,
}

/// One living member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// The workflow names whose partitions it is ready to own.
    pub hosts: Vec<WorkflowName>,
}

/// One partition and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The partition.
    pub part: Part,
    /// The current epoch; 0 when it never had an owner.
    pub epoch: Epoch,
    /// The last owner, alive or not; none after a release, and at first.
    pub owner: Option<MemberId>,
}

/// What the store tells a member back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// The store's clock.
    pub now: Timestamp,
    /// Members whose lease has not run out, in order of their ids.
    pub members: Vec<Member>,
    /// All partitions that there are, in order.
    pub parts: Vec<Owned>,
}

/// A successful claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The new epoch.
    pub epoch: Epoch,
    /// Whose it was last, other than the one who claims, whether it was released or taken; none at
    /// first. A claim that is repeated learns the same.
    pub before: Option<MemberId>,
}

/// A page of rows, in order of their keys.
pub type Rows = Vec<(Bytes, Bytes)>;

/// A database that many workers share.
///
/// Every call may be repeated: an answer may get lost. Errors of kind [`StoreError::Io`] are
/// trouble that may pass, and the caller repeats the call until it does; all others are for good.
pub trait SharedStore: Send + Sync + fmt::Debug + 'static {
    /// Creates the partitions of a workflow name unless there are some, and answers how many there
    /// are, from then on. Zero counts as one.
    fn parts(&self, workflow: &WorkflowName, wanted: u16) -> Pending<'_, Result<u16, StoreError>>;

    /// Renews a member's lease and answers how the fleet stands. Forgets members whose lease ran
    /// out a day ago or more.
    fn beat(&self, beat: &Beat) -> Pending<'_, Result<Fleet, StoreError>>;

    /// Ends a member's lease at once: it is stopping, and has released its partitions.
    fn leave(&self, member: &MemberId) -> Pending<'_, Result<(), StoreError>>;

    /// Makes a member the owner of a partition, under a new epoch, if nobody owns it, or only a
    /// member whose lease has run out, or this member itself. None when another living member owns
    /// it. Commits of earlier epochs that are under way either end before this does, or write
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there is no such partition: [`SharedStore::parts`] comes first.
    fn claim(
        &self,
        part: &Part,
        member: &MemberId,
    ) -> Pending<'_, Result<Option<Claim>, StoreError>>;

    /// Gives a partition up, if the epoch is still the current one: commits under it write nothing
    /// any more. The next claim still learns whose it was.
    fn release(&self, part: &Part, epoch: Epoch) -> Pending<'_, Result<(), StoreError>>;

    /// Writes commits of partitions, at most one of each, durably when it answers: one answer for
    /// each, in order. All of them in one transaction where the store can; each is atomic in any
    /// case, but for the losers it names.
    ///
    /// The same commits may be written again after an answer was lost: one that is there already,
    /// and is the partition's last, counts as written, and changes nothing.
    ///
    /// The history rows of an instance are its own chain: a row is written only if there is no row
    /// of its number, and the row before it was written by the commit named in `after` (row 0: if
    /// the instance has no row at all). Rows of other tables are put and removed as they come, in
    /// order; they are protected by the epoch alone. An instance that lost keeps nothing of its
    /// row.
    /// A commit of a partition that does not exist is [`Written::NotOwner`].
    fn write(&self, commits: Vec<PartCommit>) -> Pending<'_, Result<Vec<Written>, StoreError>>;

    /// All history rows of some instances of a partition, in order of instance and row. `after` is
    /// what the store holds as the commit of the row before; none when that row is missing.
    fn histories(
        &self,
        part: &Part,
        ids: Vec<InstanceId>,
    ) -> Pending<'_, Result<Vec<HistoryRow>, StoreError>>;

    /// At most `limit` rows of a partition with `from <= key < to` (to the end when `to` is none),
    /// in order of their keys. Keys of [`Table::History`] are instance id and row number (big
    /// endian).
    fn page(
        &self,
        part: &Part,
        table: Table,
        from: Bytes,
        to: Option<Bytes>,
        limit: usize,
    ) -> Pending<'_, Result<Rows, StoreError>>;

    /// Releases connections; the store is not used any more.
    fn close(&self) -> Pending<'_, ()>;

    /// What it has cost so far.
    fn counters(&self) -> SharedCounters;
}

/// What a shared store has cost this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedCounters {
    /// Questions to the server and back.
    pub round_trips: u64,
    /// Transactions that wrote something.
    pub commits: u64,
    /// Rows written or removed.
    pub rows: u64,
    /// Bytes of keys and values handed over.
    pub bytes: u64,
}

impl SharedCounters {
    /// Counts what a commit hands over.
    pub(crate) fn add_rows_of(&mut self, commit: &PartCommit) {
        let size = |op: &RowOp| op.key.len() + op.value.as_ref().map_or(0, Bytes::len);
        let history: usize = commit.history.iter().map(|row| row.value.len()).sum();
        let ops: usize = commit.ops.iter().map(size).sum();
        self.rows += (commit.history.len() + commit.ops.len()) as u64;
        self.bytes += (history + commit.history.len() * layout::HISTORY_KEY + ops) as u64;
    }
}

/// The answer to a claim of a partition that [`SharedStore::parts`] never made.
pub(crate) fn no_such_part(part: &Part) -> StoreError {
    StoreError::Damaged(format!(
        "the store knows no partition {part}; its rows were removed, or another store was meant"
    ))
}
