//! Steps: recorded side effects that the workflow's own worker runs, outside the turn.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use infinitic_core::names::StepName;
use infinitic_core::{Command, Position};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::outcome::to_result;
use super::recorder::{Recorder, WaitCell};
use crate::contract::{TaskFuture, finish_result};
use crate::failure::{ErrorCodec, Failure, TaskError};
use crate::service::{ExponentialRetry, RetrySetting, TaskPolicy};

/// What runs an attempt of a step.
pub(crate) type StepRun = Arc<dyn Fn() -> TaskFuture + Send + Sync>;

/// An open step: what to run, and the policy of its attempts.
#[derive(Clone)]
pub struct StepJob {
    pub(crate) run: StepRun,
    pub(crate) policy: TaskPolicy,
}

impl fmt::Debug for StepJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepJob")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// A durable side effect without a service: the closure runs in the workflow worker's own process,
/// outside the turn, at least once; its result is recorded, and replayed from then on.
///
/// A crash before the result is recorded runs it again, at once. `retry` and `timeout` work as they
/// do for tasks; without `retry` a failed attempt is the end.
///
/// **Cancellation:** dropping the future (a losing branch of `select!`) cancels the attempt.
///
/// # Panics
/// Outside workflow code.
///
/// ```ignore
/// let size: u64 = step("resize", move || async move { resize(&image).await })
///     .retry(3)
///     .timeout(Duration::from_secs(30))
///     .await?;
/// ```
#[must_use = "a step does nothing until it is awaited"]
#[track_caller]
pub fn step<F, Fut, T, E>(name: &str, run: F) -> Step<T, E>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize + DeserializeOwned + 'static,
    E: TaskError,
{
    let recorder = Recorder::current("step");
    let name = StepName::parse(name).unwrap_or_else(|error| panic!("{error}"));
    let run: StepRun = Arc::new(move || {
        let attempt = run();
        Box::pin(async move { finish_result(attempt.await, ErrorCodec::<E>::typed()) })
    });
    Step {
        recorder,
        name,
        job: Some(StepJob {
            run,
            policy: TaskPolicy::default(),
        }),
        location: Location::caller(),
        wait: None,
        done: false,
        value: std::marker::PhantomData,
    }
}

/// The future of a step. Made by [`step`].
#[must_use = "a step does nothing until it is awaited"]
pub struct Step<T, E> {
    recorder: Arc<Recorder>,
    name: StepName,
    job: Option<StepJob>,
    location: &'static Location<'static>,
    wait: Option<(infinitic_core::CommandId, Arc<WaitCell>)>,
    done: bool,
    value: std::marker::PhantomData<fn() -> (T, E)>,
}

impl<T, E> fmt::Debug for Step<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<T, E> Step<T, E> {
    /// Makes up to `attempts` attempts in all, with exponential pauses from one second.
    pub fn retry(self, attempts: u32) -> Self {
        self.retry_with(ExponentialRetry {
            max_attempts: attempts,
            ..ExponentialRetry::default()
        })
    }

    /// Retries after a policy of its own.
    pub fn retry_with(mut self, retry: ExponentialRetry) -> Self {
        if let Some(job) = &mut self.job {
            job.policy.retry = RetrySetting::Exponential(retry);
        }
        self
    }

    /// Limits each attempt. The attempt sees `task::cancelled()` and is dropped after the grace
    /// period.
    pub fn timeout(mut self, limit: Duration) -> Self {
        if let Some(job) = &mut self.job {
            job.policy.timeout_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        }
        self
    }

    fn begin(&mut self) -> Option<()> {
        let job = self.job.take()?;
        let cell = Arc::new(WaitCell::default());
        let command = Command::Step {
            name: self.name.clone(),
        };
        let id = self
            .recorder
            .record_at(command, Some(Arc::clone(&cell)), self.location);
        self.recorder.keep_step(id.position, job);
        self.wait = Some((id, cell));
        Some(())
    }

    fn position(&self) -> Option<Position> {
        self.wait.as_ref().map(|(id, _)| id.position)
    }
}

impl<T: DeserializeOwned, E: TaskError> Future for Step<T, E> {
    type Output = Result<T, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begin();
        let Some((id, cell)) = &self.wait else {
            panic!("a step was polled after its end");
        };
        let Some(outcome) = cell.poll(context.waker()) else {
            return Poll::Pending;
        };
        let result = to_result(outcome, Some(*id), ErrorCodec::typed());
        self.done = true;
        Poll::Ready(result)
    }
}

impl<T, E> Unpin for Step<T, E> {}

impl<T, E> Drop for Step<T, E> {
    fn drop(&mut self) {
        if let Some(position) = self.position()
            && !self.done
        {
            self.recorder.cancel(position);
        }
    }
}
