//! The attempts of one service: so many run at a time, the others queue in the order of their
//! coming.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::attempt::Job;

/// A limit, and who is behind it.
pub(super) struct Lane {
    limit: usize,
    state: Mutex<State>,
}

/// Weight of the newest attempt in the average, as a power of two: an eighth.
const NEWEST: u32 = 3;

#[derive(Default)]
struct State {
    /// **Invariant:** something is queued only while `running` is at the limit.
    running: usize,
    queue: VecDeque<Job>,
    closed: bool,
    /// How long attempts take, averaged over the last ones.
    average: Duration,
}

impl Lane {
    /// With a limit; 0 would never run anything, and counts as 1.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            state: Mutex::default(),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked; should it, counts and queue are whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place and gives the job back, or queues it. A closed lane drops it.
    pub(super) fn admit(&self, job: Job) -> Option<Job> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        if state.running < self.limit {
            state.running += 1;
            return Some(job);
        }
        state.queue.push_back(job);
        None
    }

    /// The next queued job, for one who has a place, and keeps it; none takes the place back. Both
    /// under one lock: else a job could be queued in between, and nobody would come for it.
    pub(super) fn take_or_leave(&self) -> Option<Job> {
        let mut state = self.state();
        let next = state.queue.pop_front();
        if next.is_none() {
            state.running = state.running.saturating_sub(1);
            // Gives the memory of a long queue back.
            state.queue = VecDeque::new();
        }
        next
    }

    /// Lets nothing in any more; gives what was queued.
    pub(super) fn close(&self) -> VecDeque<Job> {
        let mut state = self.state();
        state.closed = true;
        std::mem::take(&mut state.queue)
    }

    /// An attempt has taken so long.
    pub(super) fn took(&self, time: Duration) {
        let mut state = self.state();
        let rest = state.average.saturating_sub(state.average / (1 << NEWEST));
        state.average = rest + time / (1 << NEWEST);
    }

    /// How long one more attempt would wait for its start, by what the last ones took.
    pub(super) fn wait(&self) -> Duration {
        let state = self.state();
        if state.closed {
            return Duration::MAX;
        }
        if state.running < self.limit {
            return Duration::ZERO;
        }
        let before = u32::try_from(state.queue.len() + 1).unwrap_or(u32::MAX);
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX);
        // What has never ended may take for ever.
        if state.average.is_zero() {
            return Duration::MAX;
        }
        state.average.saturating_mul(before) / limit
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().running == 0
    }
}
