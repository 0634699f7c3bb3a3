//! What task code can ask about the task that it runs in: `task::id()`, `task::cancelled()` …
//!
//! The answers come from a task-local, so they are there in everything that the task awaits; a
//! future that is spawned on its own inherits them by [`spawn`]. Steps have them as well.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic_core::names::{ServiceName, TaskName, WorkflowName};
use infinitic_core::{
    Attempt, CallOptions, FailureRecord, InstanceId, Sequence, StepAttempt, TaskAttempt, TaskId,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::failure::Failure;

tokio::task_local! {
    pub(crate) static CONTEXT: Arc<TaskContext>;
}

/// An attempt of a task or step: what it is about, and whether it is still wanted.
#[derive(Debug)]
pub(crate) struct TaskContext {
    pub(crate) work: Work,
    pub(crate) worker: Arc<str>,
    pub(crate) control: Control,
    /// The key and value pairs, once the attempt has changed them.
    meta: Mutex<Option<BTreeMap<String, String>>>,
}

/// What is attempted.
#[derive(Debug)]
pub(crate) enum Work {
    Task(Box<TaskAttempt>),
    Step(Box<StepAttempt>),
}

/// Whether an attempt is still wanted. It only ever goes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stop {
    /// It is.
    No,
    /// Its time limit ran out: it fails by that, whatever it returns.
    TimedOut,
    /// Nobody waits for it any more.
    Cancelled,
    /// The worker goes down: it is dropped, and given out again later.
    Abandoned,
}

/// Tells an attempt, and what watches it, that it is to stop.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stop: AtomicU8,
    changed: Notify,
}

impl Control {
    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Ordering::Acquire) {
            0 => Stop::No,
            1 => Stop::TimedOut,
            2 => Stop::Cancelled,
            _ => Stop::Abandoned,
        }
    }

    pub(crate) fn raise(&self, stop: Stop) {
        self.stop.fetch_max(stop as u8, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Waits until it is to stop for this reason or a stronger one.
    pub(crate) async fn wait(&self, stop: Stop) {
        loop {
            // Made before the look at the state, so that a change in between wakes it.
            let changed = self.changed.notified();
            if self.stop() >= stop {
                return;
            }
            changed.await;
        }
    }
}

impl TaskContext {
    pub(crate) fn new(work: Work, worker: Arc<str>) -> Self {
        Self {
            work,
            worker,
            control: Control::default(),
            meta: Mutex::default(),
        }
    }

    /// The pairs that the attempt was given.
    fn given_meta(&self) -> BTreeMap<String, String> {
        let given = match &self.work {
            Work::Task(task) => &task.options.meta,
            Work::Step(step) => &step.meta,
        };
        given.iter().cloned().collect()
    }

    /// Reads the pairs, or changes them.
    fn meta(&self) -> MutexGuard<'_, Option<BTreeMap<String, String>>> {
        // Nothing panics while it is locked, and a map has no half-changed state.
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_meta<T>(&self, change: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        change(self.meta().get_or_insert_with(|| self.given_meta()))
    }

    /// What the next attempt is to be given, if that is not what this one was.
    pub(crate) fn changed_meta(&self) -> Option<Vec<(String, String)>> {
        let meta = self.meta().clone()?;
        (meta != self.given_meta()).then(|| meta.into_iter().collect())
    }

    pub(crate) fn id(&self) -> TaskId {
        match &self.work {
            Work::Task(task) => task.id,
            Work::Step(step) => step.id,
        }
    }

    pub(crate) fn sequence(&self) -> Sequence {
        match &self.work {
            Work::Task(task) => task.sequence,
            Work::Step(step) => step.sequence,
        }
    }

    pub(crate) fn attempt(&self) -> Attempt {
        match &self.work {
            Work::Task(task) => task.attempt,
            Work::Step(step) => step.attempt,
        }
    }

    pub(crate) fn previous(&self) -> &[String] {
        match &self.work {
            Work::Task(task) => &task.previous,
            Work::Step(step) => &step.previous,
        }
    }

    fn options(&self) -> Option<&CallOptions> {
        match &self.work {
            Work::Task(task) => Some(&task.options),
            Work::Step(_) => None,
        }
    }
}

#[track_caller]
fn here<T>(function: &str, answer: impl FnOnce(&Arc<TaskContext>) -> T) -> T {
    match CONTEXT.try_with(answer) {
        Ok(answer) => answer,
        Err(_) => panic!(
            "`task::{function}` was called outside of a task. It works in the methods of a \
             `#[service]`, in steps, and in what they await; a future that they spawn needs \
             `task::spawn`, and a unit test of a service `task::scope`."
        ),
    }
}

/// Id of this task: the same on every attempt, also after a retry by hand, so it serves as an
/// idempotency key.
///
/// # Panics
/// Outside of a task, as all functions of this module.
#[must_use]
#[track_caller]
pub fn id() -> TaskId {
    here("id()", |context| context.id())
}

/// Name of the service; in a step, which has none, the name of its workflow.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn service() -> ServiceName {
    here("service()", |context| match &context.work {
        Work::Task(task) => task.service.clone(),
        Work::Step(step) => ServiceName::known(step.workflow.as_str()),
    })
}

/// Name of the task or step.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn name() -> TaskName {
    here("name()", |context| match &context.work {
        Work::Task(task) => task.task.clone(),
        Work::Step(step) => TaskName::known(step.name.as_str()),
    })
}

/// The instance that called this task.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn workflow_id() -> InstanceId {
    here("workflow_id()", |context| context.id().instance)
}

/// Name of the workflow that called this task.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn workflow_name() -> WorkflowName {
    here("workflow_name()", |context| match &context.work {
        Work::Task(task) => task.workflow.clone(),
        Work::Step(step) => step.workflow.clone(),
    })
}

/// Number of this attempt, from 0: how often the retry policy has tried again. A retry by hand
/// begins at 0 anew.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn attempt() -> u32 {
    here("attempt()", |context| context.attempt().0)
}

/// How often this task was started anew by hand.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn retry_sequence() -> u32 {
    here("retry_sequence()", |context| context.sequence().0)
}

/// How the previous attempt failed; none at the first one, and in steps.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn last_error() -> Option<Failure> {
    here("last_error()", |context| match &context.work {
        Work::Task(task) => {
            let record: &FailureRecord = task.last_failure.as_deref()?;
            Some(Failure::from_record(record.clone()))
        }
        Work::Step(_) => None,
    })
}

/// The labels that the caller gave to this call.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn tags() -> Vec<String> {
    here("tags()", |context| {
        context.options().map(|options| options.tags.clone())
    })
    .unwrap_or_default()
}

/// The key and value pairs that the caller gave to this call, as this attempt and the failed ones
/// before it have changed them by [`set_meta`] and [`remove_meta`].
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn meta() -> BTreeMap<String, String> {
    here("meta()", |context| {
        let changed = context.meta().clone();
        changed.unwrap_or_else(|| context.given_meta())
    })
}

/// Leaves a key and value pair to the next attempt of this task, which finds it by [`meta`]: how
/// far this one came, say. It is recorded with the failure of this attempt, so it survives
/// restarts. An attempt that is cut off by a crash of the process leaves nothing; a retry by hand
/// begins with what the caller gave. Nobody but later attempts of the same task sees it.
///
/// # Panics
/// Outside of a task.
///
/// # Example
///
/// ```ignore
/// #[service]
/// impl Importer {
///     #[retry(max_attempts = 10)]
///     async fn import(&self, file: String) -> Result<u64> {
///         let mut row = task::meta().get("row").map_or(Ok(0), |row| row.parse())?;
///         while let Some(rows) = self.read(&file, row).await? {
///             self.store(rows).await?; // after a failure here, the next attempt reads on
///             row += 1000;
///             task::set_meta("row", row.to_string());
///         }
///         Ok(row)
///     }
/// }
/// ```
#[track_caller]
pub fn set_meta(key: impl Into<String>, value: impl Into<String>) {
    // Before anything is locked: conversions are user code.
    let (key, value) = (key.into(), value.into());
    here("set_meta(…)", |context| {
        context.change_meta(|meta| meta.insert(key, value));
    });
}

/// Leaves a key out for the next attempt, and gives the value that it had; see [`set_meta`].
///
/// # Panics
/// Outside of a task.
#[track_caller]
pub fn remove_meta(key: &str) -> Option<String> {
    here("remove_meta(…)", |context| {
        context.change_meta(|meta| meta.remove(key))
    })
}

/// The batch key that the caller gave to this call.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn batch_key() -> Option<String> {
    here("batch_key()", |context| {
        context.options()?.batch_key.clone()
    })
}

/// Name of the worker that runs this attempt.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn worker() -> String {
    here("worker()", |context| context.worker.to_string())
}

/// Resolves when this attempt is no longer wanted: its time limit ran out, or the task was
/// cancelled. What it returns from then on is not used; after the grace period its future is
/// dropped.
///
/// The future may be moved into a thread or a spawned future.
///
/// # Panics
/// Outside of a task, when it is called (not when it is awaited).
#[track_caller]
pub fn cancelled() -> impl Future<Output = ()> + Send + 'static {
    let context = here("cancelled()", Arc::clone);
    async move { context.control.wait(Stop::TimedOut).await }
}

/// Whether [`cancelled`] has resolved: for code that computes without waiting.
///
/// # Panics
/// Outside of a task.
#[must_use]
#[track_caller]
pub fn is_cancelled() -> bool {
    here("is_cancelled()", |context| {
        context.control.stop() > Stop::No
    })
}

/// Spawns a future on the worker's runtime that knows of this task as well. It is not dropped with
/// the task: await its handle, or have it watch [`cancelled`].
///
/// # Panics
/// Outside of a task.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(CONTEXT.scope(here("spawn()", Arc::clone), future))
}

/// Runs a future as if it were that attempt of a task: for unit tests of services that ask about
/// it.
pub fn scope<F: Future>(attempt: TaskAttempt, future: F) -> impl Future<Output = F::Output> {
    let context = TaskContext::new(Work::Task(Box::new(attempt)), Arc::from("test"));
    CONTEXT.scope(Arc::new(context), future)
}
