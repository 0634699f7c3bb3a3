//! Which tasks may be polled on the runtime's threads as they are, and which block them.
//!
//! A service that blocks its thread (a synchronous driver, a long computation) must not keep the
//! others from going on. The runtime can hand a thread's other work over before a poll
//! (`block_in_place`), but that costs more than a small task in all. So each task is watched: its
//! first polls, and many after one that took long, are made with handing over; once it has behaved,
//! it is polled directly.
//!
//! What this does not cover: a task that behaved and then blocks. It holds its thread once, for as
//! long as that poll takes, and is watched from then on.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::clock;

/// Quick polls in a row after which a task is polled directly.
const TRUSTED_AFTER: i32 = 16;
/// Quick polls that are asked for in addition after a slow one.
const PENALTY: i32 = 240;
/// A poll that takes longer blocks its thread.
const SLOW: Duration = Duration::from_millis(10);
/// Polls of an attempt that are watched on their own: the first poll of a task may only send a
/// request, the second one block on its answer. All from the last one on are watched together.
const ORDINALS: usize = 4;

/// How a task's polls have behaved, by their number in the attempt.
#[derive(Debug, Default)]
pub(super) struct Trust {
    quick: [AtomicI32; ORDINALS],
}

impl Trust {
    /// Makes one poll, with the thread's other work handed over where it may block.
    ///
    /// `ordinal` is its number in its attempt, from 0; `may_block` tells whether the runtime has
    /// other threads to hand over to.
    pub(super) fn poll<T>(&self, ordinal: usize, may_block: bool, poll: impl FnOnce() -> T) -> T {
        if !may_block {
            return poll();
        }
        let quick = &self.quick[ordinal.min(ORDINALS - 1)];
        let trusted = quick.load(Ordering::Relaxed) >= TRUSTED_AFTER;
        let begin = clock::monotonic();
        let polled = match trusted {
            true => poll(),
            false => tokio::task::block_in_place(poll),
        };
        if begin.elapsed() > SLOW {
            quick.store(-PENALTY, Ordering::Relaxed);
        } else if !trusted {
            quick.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn trust_is_earned_and_lost() {
        tokio::spawn(async {
            let trust = Trust::default();
            let quick = |ordinal: usize| trust.quick[ordinal].load(Ordering::Relaxed);
            // On a busy machine the quickest poll may be a slow one: trust comes later then.
            let earned = (0..100_000).any(|_| {
                trust.poll(0, true, || ());
                quick(0) == TRUSTED_AFTER
            });
            assert!(earned);
            let slow = || {
                let begin = clock::monotonic();
                while begin.elapsed() <= SLOW {}
            };
            trust.poll(0, true, slow);
            assert_eq!(quick(0), -PENALTY);
            trust.poll(9, true, || ());
            assert_ne!(quick(ORDINALS - 1), 0);
            assert_eq!(quick(1), 0);
        })
        .await
        .expect("the polls do not panic");
    }
}
