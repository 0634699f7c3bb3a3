//! Attempts that nobody here hosts. They wait: a worker with other code may host them after the
//! next start, and their instances can be cancelled. Only their ids are kept; the rest is in the
//! histories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use infinitic_core::names::{ServiceName, TaskName};
use infinitic_core::{CommandId, TaskAttempt, TaskId};

/// Tasks that wait because no worker here hosts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingTasks {
    /// Their service.
    pub service: ServiceName,
    /// Their name.
    pub task: TaskName,
    /// How many.
    pub count: usize,
    /// The one of the oldest instance.
    pub oldest: TaskId,
}

/// What is not hosted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The service.
    Service,
    /// The task of a hosted service: the caller is newer or older than this worker.
    Task,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// How many there are, so that a cancel of something else is cheap.
    count: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<(ServiceName, TaskName), BTreeSet<CommandId>>,
    told: BTreeSet<(ServiceName, Option<TaskName>)>,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a note, and says so in the log once for each service, or task of a hosted one.
    pub(super) fn add(&self, attempt: &TaskAttempt, missing: Missing) {
        let (service, task) = (&attempt.service, &attempt.task);
        let mut state = self.state();
        let ids = state
            .tasks
            .entry((service.clone(), task.clone()))
            .or_default();
        if ids.insert(attempt.id) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        let named = (missing == Missing::Task).then(|| task.clone());
        if !state.told.insert((service.clone(), named)) {
            return;
        }
        drop(state);
        match missing {
            Missing::Service => tracing::warn!(
                "service `{service}` is not hosted by this worker: its tasks wait. Host it by \
                 `.service(…)` with a value that implements `{service}`, and start again"
            ),
            Missing::Task => tracing::warn!(
                "service `{service}` is hosted by this worker, but has no task `{task}`: its calls \
                 wait. Does the caller use another version of the contract?"
            ),
        }
    }

    pub(super) fn remove(&self, id: CommandId) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.state();
        let removed = state
            .tasks
            .values_mut()
            .filter_map(|ids| ids.take(&id))
            .count();
        self.count.fetch_sub(removed, Ordering::Relaxed);
        state.tasks.retain(|_, ids| !ids.is_empty());
    }

    pub(super) fn list(&self) -> Vec<WaitingTasks> {
        let state = self.state();
        let tasks = state.tasks.iter().filter_map(|((service, task), ids)| {
            Some(WaitingTasks {
                service: service.clone(),
                task: task.clone(),
                count: ids.len(),
                oldest: *ids.first()?,
            })
        });
        tasks.collect()
    }
}
