//! One attempt: decode, run, watch time limit and cancelling, and decide whether another one
//! follows.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use infinitic_core::{AttemptResult, FailureKind, FailureRecord, Message, Origin};
use tokio::time::{Sleep, sleep};

use super::trust::Trust;
use super::{Shared, StepWork};
use crate::clock;
use crate::contract::{Failed, TaskFuture, TaskResult};
use crate::failure::{Failure, RetryHint};
use crate::panics;
use crate::service::hosted::HostedTask;
use crate::service::task::{CONTEXT, Stop, TaskContext, Work};
use crate::service::{RetrySetting, TaskPolicy};

/// An attempt with all that is needed to run it.
pub(super) struct Job {
    pub(super) context: Arc<TaskContext>,
    pub(super) policy: TaskPolicy,
    pub(super) code: Code,
    pub(super) trust: Arc<Trust>,
}

/// What is run.
pub(super) enum Code {
    Task(Arc<HostedTask>),
    Step(StepWork),
}

/// Runs an attempt, and gives its end to its instance, unless it is not wanted any more.
pub(super) async fn run(shared: &Shared, job: Job) {
    let ended = match job.context.control.stop() {
        // Cancelled while it was queued.
        Stop::TimedOut | Stop::Cancelled | Stop::Abandoned => None,
        Stop::No => watch(shared, &job).await,
    };
    // Before the outcome: the next attempt may arrive while it is still being told.
    shared.running.remove(&job.context);
    let Some(ended) = ended else {
        return;
    };
    let message = told(&job, ended);
    (shared.outcome)(job.context.id().instance, message);
}

/// What the instance is told of an attempt's end.
pub(super) fn told(job: &Job, ended: TaskResult) -> Message {
    let context = &job.context;
    Message::AttemptEnded {
        id: context.id(),
        sequence: context.sequence(),
        attempt: context.attempt(),
        result: match ended {
            Ok(value) => AttemptResult::Value(value),
            Err(failed) => decide(context, &job.policy, failed),
        },
    }
}

/// Runs the code of an attempt within its limits; none when nobody wants to know how it ended.
async fn watch(shared: &Shared, job: &Job) -> Option<TaskResult> {
    let control = &job.context.control;
    // Made first: the time of the first poll counts. It costs little until it is waited for.
    let limit = job.policy.timeout().map(sleep);
    let deadline = limit.as_ref().map(Sleep::deadline);
    let mut running = Guarded::new(job, shared.may_block);
    let stop = tokio::select! {
        biased;
        ended = &mut running => {
            let late = deadline.is_some_and(|deadline| !deadline.elapsed().is_zero());
            return match control.stop() {
                Stop::No if late => Some(Err(timed_out(&job.policy))),
                Stop::No => Some(ended),
                Stop::TimedOut | Stop::Cancelled | Stop::Abandoned => None,
            };
        }
        stop = stopped(&job.context, limit) => stop,
    };
    if stop == Stop::Abandoned {
        return None;
    }
    control.raise(stop);
    tokio::select! {
        biased;
        _ = &mut running => {}
        () = control.wait(Stop::Abandoned) => {}
        () = sleep(job.policy.grace()) => {}
    }
    drop(running);
    // It may have been cancelled, too, while it had its grace period.
    (control.stop() == Stop::TimedOut).then(|| Err(timed_out(&job.policy)))
}

/// Waits until an attempt has to stop, and says why.
async fn stopped(context: &TaskContext, limit: Option<Sleep>) -> Stop {
    let cancelled = context.control.wait(Stop::Cancelled);
    match limit {
        None => cancelled.await,
        Some(limit) => tokio::select! {
            biased;
            () = cancelled => {}
            () = limit => return Stop::TimedOut,
        },
    }
    context.control.stop()
}

pub(super) fn timed_out(policy: &TaskPolicy) -> Failed {
    let limit = policy.timeout().unwrap_or_default();
    let message = format!("the attempt took longer than its limit of {limit:?}");
    Failed {
        record: Box::new(FailureRecord::new(FailureKind::TimedOut, message)),
        hint: RetryHint::Policy,
    }
}

/// The result of a failed attempt: completes the record, and asks the policy for the next attempt.
fn decide(context: &TaskContext, policy: &TaskPolicy, failed: Failed) -> AttemptResult {
    let Failed { record, hint } = failed;
    let attempts = context.attempt().0.saturating_add(1);
    let mut record = record.at(match &context.work {
        Work::Task(task) => Origin::Task {
            id: task.id,
            service: task.service.clone(),
            task: task.task.clone(),
            worker: context.worker.to_string(),
            attempts,
        },
        Work::Step(step) => Origin::Step {
            id: step.id,
            name: step.name.to_string(),
            attempts,
        },
    });
    // No attempt can change what a value is encoded like.
    let hint = match record.kind {
        FailureKind::Undecodable => RetryHint::Never,
        _ => hint,
    };
    let retry_after_ms = match (hint, policy.retry) {
        (RetryHint::Never, _) | (_, RetrySetting::None) => None,
        (RetryHint::Policy, RetrySetting::Unset) => None,
        _ => retry_after(context, policy, hint, &mut record),
    };
    let failure = Box::new(record);
    match (retry_after_ms, context.changed_meta()) {
        (Some(retry_after_ms), Some(meta)) => AttemptResult::FailedWithMeta {
            failure,
            retry_after_ms,
            meta,
        },
        // Without another attempt, there is nobody to be told.
        (retry_after_ms, _) => AttemptResult::Failed {
            failure,
            retry_after_ms,
        },
    }
}

/// Asks the policy. It may be the user's, and panic: then the task ends with the failure that it
/// had.
fn retry_after(
    context: &TaskContext,
    policy: &TaskPolicy,
    hint: RetryHint,
    record: &mut FailureRecord,
) -> Option<u64> {
    // The earlier failures are for the policy's eyes: the engine adds them when the task has
    // failed.
    record.previous = context.previous().to_vec();
    let failure = Failure::from_record(record.clone());
    record.previous = Vec::new();
    let attempt = context.attempt().0;
    let answer = panics::capture(|| policy.retry.delay_ms(hint, attempt, &failure, random()));
    answer.unwrap_or_else(|panic| {
        record
            .sources
            .push(format!("and its retry policy panicked: {}", panic.message));
        None
    })
}

/// A number in `0..1`, for jitter alone: each thread counts through the mixing function of
/// SplitMix64 (Steele, Lea, Flood, 2014) from a seed of its own.
fn random() -> f64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(clock::random_bits());
    }
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 53 bits are what a float holds.
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

/// User code that is kept from doing harm: its panics, also those of destructors, become results,
/// and a poll of it that blocks its thread harms nobody else.
pub(super) struct Guarded<'a> {
    job: &'a Job,
    may_block: bool,
    future: Option<TaskFuture>,
    polls: usize,
}

impl<'a> Guarded<'a> {
    pub(super) fn new(job: &'a Job, may_block: bool) -> Self {
        Self {
            job,
            may_block,
            future: None,
            polls: 0,
        }
    }

    /// Drops the future, whose destructors are user code as well.
    fn discard(&mut self) {
        if let Some(future) = self.future.take() {
            let context = Arc::clone(&self.job.context);
            if let Err(panic) = panics::capture(|| CONTEXT.sync_scope(context, || drop(future))) {
                let id = self.job.context.id();
                tracing::warn!("a destructor of task {id} panicked: {}", panic.message);
            }
        }
    }
}

impl Future for Guarded<'_> {
    type Output = TaskResult;

    fn poll(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<TaskResult> {
        let this = self.get_mut();
        let ordinal = this.polls;
        this.polls += 1;
        let Job {
            context,
            code,
            trust,
            ..
        } = this.job;
        let future = &mut this.future;
        let polled = trust.poll(ordinal, this.may_block, || {
            panics::capture(|| {
                CONTEXT.sync_scope(Arc::clone(context), || {
                    // The first poll decodes the arguments, which is user code that may take long,
                    // too.
                    let future = match future {
                        Some(future) => future,
                        None => future.insert(begin(context, code)?),
                    };
                    match future.as_mut().poll(waker) {
                        Poll::Ready(result) => result.map(Some),
                        Poll::Pending => Ok(None),
                    }
                })
            })
        });
        let ended = match polled {
            Ok(Ok(None)) => return Poll::Pending,
            Ok(Ok(Some(value))) => Ok(value),
            Ok(Err(failed)) => Err(failed),
            Err(panic) => Err(Failed {
                record: Box::new(panic.into_record()),
                hint: RetryHint::Policy,
            }),
        };
        this.discard();
        Poll::Ready(ended)
    }
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.discard();
    }
}

/// The future of an attempt, made anew for each.
fn begin(context: &TaskContext, code: &Code) -> Result<TaskFuture, Failed> {
    match code {
        Code::Task(task) => {
            let Work::Task(attempt) = &context.work else {
                unreachable!("a job is made with the code that its work asks for");
            };
            Ok((task.run)(&attempt.args)?)
        }
        Code::Step(step) => Ok(step()),
    }
}
