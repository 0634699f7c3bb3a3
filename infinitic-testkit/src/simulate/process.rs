//! One life of a worker's process: shards, committer and executor, without threads.
//!
//! Shards, recovery, engine, turns and the attempts of tasks are the real ones. The committer and
//! the loop around a shard are written down here once more, because the real ones are threads; they
//! must do in the same order what `worker/committer.rs` and `worker/node.rs` do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic_core::{Attempt, CommandId, InstanceId, Message, Sequence, Timestamp};
use infinitic_runtime::backend::{KeyValue, RowOp};
use infinitic_runtime::service::SpotExecutor;
use infinitic_runtime::worker::{Commit, Outgoing, Shard};

use super::rng::Rng;
use super::store::SimStore;

/// The payload of the unwinding by which a process dies in the middle of a round.
#[derive(Debug)]
pub(crate) struct Died;

/// Where a process may die, and how often it does.
#[derive(Debug)]
pub(crate) struct Dice {
    pub(crate) rng: Rng,
    /// How likely it is at each point.
    pub(crate) per_mille: u64,
    /// How often it still may.
    pub(crate) left: u32,
    /// How often it did, by point.
    pub(crate) struck: BTreeMap<&'static str, u64>,
}

impl Dice {
    /// Whether the process dies here.
    pub(crate) fn strikes(&mut self, point: &'static str) -> bool {
        let strikes = self.left > 0 && self.rng.chance(self.per_mille);
        if strikes {
            self.left -= 1;
            *self.struck.entry(point).or_default() += 1;
        }
        strikes
    }
}

/// Shared by the world and by what is called from within a shard.
pub(crate) type Shared<T> = Arc<Mutex<T>>;

/// Nothing panics while it is held, except on purpose, when the process dies.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running process.
pub(crate) struct Process {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) committer: Shared<Committer>,
    pub(crate) executor: SpotExecutor,
    /// Attempts that run.
    pub(crate) running: BTreeMap<CommandId, Execution>,
    /// A write or a release is under way.
    pub(crate) is_writing: bool,
}

/// A shard with its mailbox.
pub(crate) struct Lane {
    pub(crate) shard: Shard,
    pub(crate) mailbox: Vec<Mail>,
    pub(crate) maintained: Timestamp,
    /// When its next round is.
    pub(crate) round_at: Option<u64>,
}

/// A message in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: InstanceId,
    pub(crate) message: Message,
    /// The id was drawn for this message.
    pub(crate) fresh: bool,
}

/// An attempt that runs, and what its instance will be told.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) sequence: Sequence,
    pub(crate) attempt: Attempt,
    pub(crate) message: Message,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// Nothing was queued.
    Nothing,
    Durable,
    /// The store did not take it: the same batch is written again.
    Failed,
    /// The process died.
    Died,
}

/// Merges commits into batches, writes them, and keeps what they send until they are durable.
#[derive(Debug)]
pub(crate) struct Committer {
    store: Arc<SimStore>,
    queue: VecDeque<Commit>,
    batch: Option<Batch>,
    number: u64,
    /// By shard: the last durable commit.
    pub(crate) durable: Vec<u64>,
    /// What may leave.
    pub(crate) outbox: VecDeque<Outgoing>,
    dice: Shared<Dice>,
    /// The planted bug: what a commit sends leaves before it is durable.
    publishes_early: bool,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    ops: Vec<RowOp>,
    outgoing: Vec<Outgoing>,
    last: Vec<(u16, u64)>,
}

impl Committer {
    pub(crate) fn new(
        store: &Arc<SimStore>,
        shards: usize,
        dice: &Shared<Dice>,
        publishes_early: bool,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            queue: VecDeque::new(),
            batch: None,
            number: store.last_batch(),
            durable: vec![0; shards],
            outbox: VecDeque::new(),
            dice: Arc::clone(dice),
            publishes_early,
        }
    }

    pub(crate) fn submit(&mut self, mut commit: Commit) {
        if self.publishes_early {
            self.outbox.append(&mut commit.outgoing.drain(..).collect());
        }
        self.queue.push_back(commit);
    }

    pub(crate) fn has_work(&self) -> bool {
        self.batch.is_some() || !self.queue.is_empty()
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.has_work() && self.outbox.is_empty()
    }

    /// Writes what is queued as one batch, or once more the batch that failed.
    pub(crate) fn write(&mut self) -> Wrote {
        if self.batch.is_none() && !self.queue.is_empty() {
            self.batch = self.merge();
        }
        let Some(batch) = &self.batch else {
            return Wrote::Nothing;
        };
        if lock(&self.dice).strikes("before the write") {
            return Wrote::Died;
        }
        if !batch.ops.is_empty() {
            if lock(&self.dice).strikes("in the write") {
                self.store.tear(batch.number, &batch.ops);
                return Wrote::Died;
            }
            if self.store.write(batch.number, &batch.ops).is_err() {
                return Wrote::Failed;
            }
        }
        let Some(batch) = self.batch.take() else {
            return Wrote::Nothing;
        };
        for (shard, number) in batch.last {
            self.durable[usize::from(shard)] = number;
        }
        self.outbox.extend(batch.outgoing);
        if lock(&self.dice).strikes("after the write") {
            return Wrote::Died;
        }
        Wrote::Durable
    }

    fn merge(&mut self) -> Option<Batch> {
        let mut batch = Batch {
            number: self.number,
            ops: Vec::new(),
            outgoing: Vec::new(),
            last: Vec::new(),
        };
        for commit in self.queue.drain(..) {
            batch.last.push((commit.shard, commit.number));
            let (rows, outgoing) = commit.into_rows();
            batch.ops.extend(rows);
            batch.outgoing.extend(outgoing);
        }
        if !batch.ops.is_empty() {
            self.number += 1;
            batch.number = self.number;
        }
        Some(batch)
    }

    /// Writes until a commit is durable, whatever the store says.
    pub(crate) fn write_through(&mut self) -> Result<(), Died> {
        loop {
            match self.write() {
                Wrote::Nothing => return Ok(()),
                Wrote::Durable | Wrote::Failed => {}
                Wrote::Died => return Err(Died),
            }
        }
    }
}

/// What a shard calls when a commit must be durable before it goes on.
pub(crate) fn commit_now(committer: &Shared<Committer>) -> Arc<dyn Fn(Commit) + Send + Sync> {
    let committer = Arc::clone(committer);
    Arc::new(move |commit| {
        let wrote = {
            let mut committer = lock(&committer);
            committer.submit(commit);
            committer.write_through()
        };
        if let Err(died) = wrote {
            std::panic::resume_unwind(Box::new(died));
        }
    })
}
