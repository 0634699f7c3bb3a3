//! What a shard's thread is running, for the watchdog that looks for turns that never end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use infinitic_core::{InstanceId, RunNo, Timestamp};

/// The turn that a thread is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunningTurn {
    pub(crate) id: InstanceId,
    pub(crate) run: RunNo,
    pub(crate) since: Timestamp,
}

/// Shared between a shard's thread and the watchdog.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Option<RunningTurn>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, Option<RunningTurn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, id: InstanceId, run: RunNo, since: Timestamp) {
        *self.lock() = Some(RunningTurn { id, run, since });
    }

    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    pub(crate) fn get(&self) -> Option<RunningTurn> {
        *self.lock()
    }
}

/// What is told of an instance whose turn was given up; `ran` says how long it ran.
pub(crate) fn given_up(ran: &str) -> String {
    format!(
        "a turn of this instance {ran} without waiting; workflow code must not loop or block: mend \
         it, and the instance goes on after the deployment, or with retry_turn"
    )
}
