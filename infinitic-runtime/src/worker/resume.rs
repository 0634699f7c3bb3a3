//! Code that runs again after a start, or after a thread was given up: with care, since it may be
//! what got a thread stuck.
//!
//! Recovery itself runs no code: turns that are due at once are left to the shard's own thread,
//! where the watchdog sees them. A thread that takes over from a stuck one leaves stopped instances
//! alone, but for those that nobody has given another try since the start of the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic_core::{Instance, InstanceId, Message, Timestamp};

use super::shard::Shard;
use crate::backend::StoreError;

/// Instances resumed in one round: few, so that one that gets the thread stuck sets few others
/// back.
const RESUMED_AT_ONCE: usize = 64;

/// What is left to be resumed, and whose turns are not run for now.
#[derive(Debug, Default)]
pub(super) struct Resuming {
    /// Whether turns are left to [`Shard::resume`].
    pub(super) defers: bool,
    /// Whether this shard took over from a thread that was given up.
    pub(super) takes_over: bool,
    /// Instances that wait for their turn.
    deferred: VecDeque<InstanceId>,
    /// Those of this round, until its commit.
    resumed: Vec<InstanceId>,
    /// Stopped instances that have not had another try since the start of the process.
    pub(super) untried: Untried,
    /// Instances whose code does not run in this round, and why.
    barred: BTreeMap<InstanceId, String>,
    /// Those of them whose code was to run in this round.
    struck: BTreeSet<InstanceId>,
}

/// Shared by the threads that follow each other in a shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Untried(Arc<Mutex<BTreeSet<InstanceId>>>);

impl Untried {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<InstanceId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance has had its try.
    pub(super) fn remove(&self, id: InstanceId) {
        self.lock().remove(&id);
    }
}

impl Shard {
    /// Lets turns that recovery asks for wait for [`Shard::resume`].
    pub(crate) fn resume_later(&mut self) {
        self.resuming.defers = true;
    }

    /// Goes on where a thread was given up.
    pub(super) fn take_over(&mut self, untried: Untried) {
        self.resuming.takes_over = true;
        self.resuming.untried = untried;
    }

    /// Whether an adopted instance, which is in memory already, is left to [`Shard::resume`].
    pub(super) fn defer(&mut self, instance: &Instance) -> bool {
        let id = instance.id;
        let Resuming {
            defers,
            takes_over,
            deferred,
            untried,
            barred,
            ..
        } = &mut self.resuming;
        if instance.turn_retry_due().is_some() {
            // No code runs before its pause is over.
            return false;
        }
        let turn_was_cut = instance.runs.values().any(|run| run.deadly_turns > 0);
        let is_due = instance.stopped.is_some() || instance.has_open_step() || turn_was_cut;
        if !*defers || !is_due {
            return false;
        }
        if let Some(explanation) = &instance.stopped {
            let mut untried = untried.lock();
            if !*takes_over {
                untried.insert(id);
            } else if !untried.contains(&id) {
                barred.insert(id, explanation.message.clone());
                return false;
            }
        }
        deferred.push_back(id);
        true
    }

    /// Whether instances wait for their turn.
    pub(crate) fn has_to_resume(&self) -> bool {
        !self.resuming.deferred.is_empty()
    }

    /// The instances that [`Shard::resume`] lets go on next.
    pub(crate) fn resumes_next(&self) -> impl Iterator<Item = InstanceId> + '_ {
        let deferred = self.resuming.deferred.iter().copied();
        deferred.take(RESUMED_AT_ONCE)
    }

    /// Lets some of the instances go on whose code is to run after a start.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub(crate) fn resume(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..RESUMED_AT_ONCE {
            let Some(id) = self.resuming.deferred.pop_front() else {
                return Ok(());
            };
            self.resuming.resumed.push(id);
            let message = Message::Recovered {
                cautious: self.settings.cautious || self.resting.is_some(),
            };
            self.handle(id, message, now)?;
        }
        Ok(())
    }

    /// Runs no turn of an instance until the end of the round: one has got a thread stuck.
    pub(crate) fn bar(&mut self, id: InstanceId, why: String) {
        self.resuming.barred.insert(id, why);
    }

    /// Why no turn of an instance may run in this round. Who asks runs none.
    pub(super) fn barred(&mut self, id: InstanceId) -> Option<&str> {
        let why = self.resuming.barred.get(&id)?;
        self.resuming.struck.insert(id);
        Some(why)
    }

    /// Instances of which a turn was kept from running in this round.
    pub(crate) fn struck(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.resuming.struck.iter().copied()
    }

    /// Leaves stopped instances alone that would get another try.
    pub(crate) fn leave_stopped(&mut self, is_left: impl Fn(InstanceId) -> bool) {
        let mut deferred = std::mem::take(&mut self.resuming.deferred);
        let is_stopped =
            |id: &InstanceId| self.instance(*id).is_some_and(|it| it.stopped.is_some());
        deferred.retain(|id| !(is_left(*id) && is_stopped(id)));
        self.resuming.deferred = deferred;
    }

    /// The round is over, and its commit on its way.
    pub(crate) fn end_round(&mut self) {
        self.resuming.barred.clear();
        self.resuming.struck.clear();
        for id in std::mem::take(&mut self.resuming.resumed) {
            self.resuming.untried.remove(id);
        }
    }
}
