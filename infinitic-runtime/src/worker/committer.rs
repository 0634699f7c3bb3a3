//! The committer: merges the shards' commits into one atomic, synced write, then lets go what they
//! send.
//!
//! **Invariant:** nothing leaves before the write that covers it has returned. A write never fails
//! for good: on an error the same batch is written again until the store takes it, and later
//! commits queue up meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use infinitic_core::{InstanceId, Message, RequestId};

use super::commit::{Commit, Outgoing};
use crate::backend::{KeyValue, RowOp};

/// Commits that may wait: beyond, shards wait too and merge more into their next round.
const QUEUE_MAX: usize = 64;
/// First pause after a failed write.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest pause: soon enough after somebody has made room on the disk.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where things go when they are durable.
pub(crate) trait Release: Send + Sync {
    /// Gives out what a write has made durable, in order.
    fn release(&self, outgoing: Vec<Outgoing>);
}

/// Queue of commits and what is known of their durability.
pub(crate) struct Committer {
    store: Arc<dyn KeyValue>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// By shard: number of the last durable commit.
    durable: Vec<AtomicU64>,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer")
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Queue {
    commits: VecDeque<Commit>,
    closed: bool,
    writer_sleeps: bool,
    /// By shard: which of its threads may commit, and the last number it submitted.
    shards: Vec<ShardState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ShardState {
    generation: u64,
    submitted: u64,
}

impl Committer {
    pub(crate) fn new(store: Arc<dyn KeyValue>, shards: usize) -> Arc<Self> {
        let durable = (0..shards).map(|_| AtomicU64::new(0)).collect();
        let queue = Queue {
            shards: vec![ShardState::default(); shards],
            ..Queue::default()
        };
        Arc::new(Self {
            store,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            durable,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a commit of a shard's thread; waits while too many are queued. A thread that was
    /// given up commits nothing any more.
    pub(crate) fn submit(&self, commit: Commit, generation: u64) {
        let mut queue = self
            .changed
            .wait_while(self.lock(), |queue| queue.commits.len() >= QUEUE_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        let shard = &mut queue.shards[usize::from(commit.shard)];
        if shard.generation != generation {
            return;
        }
        shard.submitted = commit.number;
        queue.commits.push_back(commit);
        let wake = std::mem::take(&mut queue.writer_sleeps);
        drop(queue);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Number of the last durable commit of a shard.
    pub(crate) fn durable(&self, shard: u16) -> u64 {
        self.durable[usize::from(shard)].load(Ordering::Acquire)
    }

    /// Waits until a commit of a shard is durable.
    pub(crate) fn wait_durable(&self, shard: u16, number: u64) {
        let _queue = self
            .changed
            .wait_while(self.lock(), |_| self.durable(shard) < number)
            .unwrap_or_else(PoisonError::into_inner);
    }

    /// Bars the threads of a shard before `generation`, and waits until all they submitted is
    /// durable.
    pub(crate) fn give_up(&self, shard: u16, generation: u64) -> u64 {
        let submitted = {
            let mut queue = self.lock();
            let state = &mut queue.shards[usize::from(shard)];
            state.generation = generation;
            state.submitted
        };
        self.wait_durable(shard, submitted);
        submitted
    }

    /// Ends [`Committer::run`] once the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The committer's thread.
    pub(crate) fn run(&self, release: &dyn Release) {
        let mut number = self.store.last_batch();
        loop {
            let commits = {
                let mut queue = self.lock();
                queue.writer_sleeps = true;
                let mut queue = self
                    .changed
                    .wait_while(queue, |queue| queue.commits.is_empty() && !queue.closed)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.writer_sleeps = false;
                if queue.commits.is_empty() {
                    return;
                }
                std::mem::take(&mut queue.commits)
            };
            self.changed.notify_all();
            self.write(commits, &mut number, release);
        }
    }

    fn write(&self, commits: VecDeque<Commit>, number: &mut u64, release: &dyn Release) {
        let mut ops: Vec<RowOp> = Vec::new();
        let mut outgoing: Vec<Outgoing> = Vec::new();
        let mut last: Vec<(u16, u64)> = Vec::new();
        for commit in commits {
            last.push((commit.shard, commit.number));
            let (rows, leaving) = commit.into_rows();
            if ops.is_empty() {
                ops = rows;
            } else {
                ops.extend(rows);
            }
            outgoing.extend(leaving);
        }
        if !ops.is_empty() {
            *number += 1;
            write_until_durable(&*self.store, *number, &ops);
        }
        for (shard, number) in last {
            self.durable[usize::from(shard)].store(number, Ordering::Release);
        }
        // Under the lock, so that no waiter misses it between its look and its sleep.
        drop(self.lock());
        self.changed.notify_all();
        release.release(outgoing);
    }
}

fn write_until_durable(store: &dyn KeyValue, number: u64, ops: &[RowOp]) {
    let mut pause = PAUSE_FIRST;
    let mut failed = false;
    while let Err(error) = store.write(number, ops) {
        if !failed {
            tracing::error!(
                "the store does not take writes: {error}; nothing is lost, work waits and goes on \
                 by itself when the store is writable again"
            );
        }
        failed = true;
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
    if failed {
        tracing::info!("the store takes writes again");
    }
}

/// Sends what is durable to where it belongs.
pub(crate) struct Releaser {
    pub(crate) executor: crate::service::Executor,
    pub(crate) replies: Arc<crate::client::Replies>,
    pub(crate) to_shard: Arc<dyn Fn(InstanceId, Message) + Send + Sync>,
}

impl std::fmt::Debug for Releaser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Releaser").finish_non_exhaustive()
    }
}

impl Release for Releaser {
    fn release(&self, outgoing: Vec<Outgoing>) {
        let mut tasks = Vec::new();
        for item in outgoing {
            match item {
                Outgoing::Task(attempt) => tasks.push(attempt),
                Outgoing::Step(attempt, job) => {
                    self.executor.run_step(attempt, job.run, job.policy);
                }
                Outgoing::CancelAttempt(id, ..) => {
                    // Dispatches before it must be known before it.
                    self.executor.dispatch(std::mem::take(&mut tasks));
                    self.executor.cancel(id);
                }
                Outgoing::Answer(RequestId(request), answer) => {
                    self.replies.answer(RequestId(request), answer);
                }
                Outgoing::Message(to, message) => (self.to_shard)(to, message),
                // A store of one process is owned by the process that hosts, or nobody does.
                Outgoing::Turn(_) => {}
            }
        }
        self.executor.dispatch(tasks);
    }
}
