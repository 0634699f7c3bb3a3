//! The clock of the shared store, as far as this process knows it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use infinitic_core::Timestamp;

use crate::clock::{Clock, SystemClock, monotonic};

/// Goes on from what the store has last told by this machine's stopwatch, which no setting of the
/// machine's clock touches. Never runs back.
#[derive(Debug, Default)]
pub(crate) struct StoreClock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<(Timestamp, Instant)>,
    last: Timestamp,
}

impl StoreClock {
    /// The store has told its time, asked at `asked`: the time stands for the middle of the way.
    pub(crate) fn told(&self, time: Timestamp, asked: Instant) {
        let half = asked.elapsed() / 2;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.told = Some((time + half, monotonic()));
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match state.told {
            Some((time, at)) => time + at.elapsed(),
            None => SystemClock.now(),
        };
        // Times before the first answer of the store are nobody's business.
        if state.told.is_some() {
            state.last = state.last.max(now);
            return state.last;
        }
        now
    }
}
