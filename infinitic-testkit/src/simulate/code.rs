//! The user code of the simulation: one real workflow that interprets programs, one real service.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use infinitic_core::{FailureKind, Timestamp};
use infinitic_runtime::failure::Failure;
use infinitic_runtime::macros::{TaskError, join, select, service, workflow};
use infinitic_runtime::service::{ExponentialRetry, RetryPolicy, task};
use infinitic_runtime::workflow::{
    Deferred, Property, ServiceProxy, Step, all, any, inline, new_service, now, random, step,
    timer, timer_at,
};
use serde::{Deserialize, Serialize};

use super::program::{Call, Fault, Kind, LIMIT_MS, Op};
use super::rng::mix;

thread_local! {
    static BROKEN: Cell<bool> = const { Cell::new(false) };
    static INLINED: Cell<u64> = const { Cell::new(0) };
}

/// Deploys code whose traps panic, or code in which they are mended.
pub(crate) fn set_broken(broken: bool) {
    BROKEN.set(broken);
}

/// Makes runs of the same seed alike, whatever ran before on this thread.
pub(crate) fn reset() {
    BROKEN.set(false);
    INLINED.set(0);
}

/// The error of tasks and steps. The number is the label of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, TaskError)]
#[task_error(crate = infinitic_runtime)]
pub(crate) enum TaskFault {
    #[error("call {0} is broken")]
    Broken(u32),
    #[error("call {0} is busy")]
    #[retry(after = "3s")]
    Busy(u32),
    #[error("call {0} is refused")]
    #[fatal]
    Fatal(u32),
}

/// The error of the workflow.
#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error, TaskError)]
#[task_error(crate = infinitic_runtime)]
pub(crate) enum ProgramError {
    #[error("{0}")]
    Fault(#[from] TaskFault),
    #[error("{0}")]
    Other(#[from] Failure),
}

/// Failures as numbers, the form in which code and model compare them.
pub(crate) mod number {
    use super::{FailureKind, Fault, ProgramError, TaskFault, mix};

    pub(crate) const TIMED_OUT: u64 = 5;
    pub(crate) const CANCELLED: u64 = 6;
    pub(crate) const CRASHED: u64 = 7;

    pub(crate) fn of_fault(fault: Fault, label: u32) -> u64 {
        match fault {
            Fault::Broken => mix(1, u64::from(label)),
            Fault::Busy => mix(2, u64::from(label)),
            Fault::Fatal => mix(3, u64::from(label)),
            Fault::Panic => of_kind(FailureKind::Panicked),
        }
    }

    pub(crate) fn of_task_fault(fault: &TaskFault) -> u64 {
        match fault {
            TaskFault::Broken(label) => of_fault(Fault::Broken, *label),
            TaskFault::Busy(label) => of_fault(Fault::Busy, *label),
            TaskFault::Fatal(label) => of_fault(Fault::Fatal, *label),
        }
    }

    pub(crate) fn of_kind(kind: FailureKind) -> u64 {
        match kind {
            FailureKind::Panicked => 4,
            FailureKind::TimedOut => TIMED_OUT,
            FailureKind::Cancelled => CANCELLED,
            FailureKind::Crashed => CRASHED,
            _ => 99,
        }
    }

    pub(crate) fn of_error(error: &ProgramError) -> u64 {
        match error {
            ProgramError::Fault(fault) => of_task_fault(fault),
            ProgramError::Other(failure) => of_kind(failure.kind()),
        }
    }
}

/// A policy of the user: five attempts, soon after each other.
struct Persistent;

impl RetryPolicy for Persistent {
    fn delay(&self, attempt: u32, _: &Failure) -> Option<Duration> {
        (attempt < 4).then(|| Duration::from_millis(100 * u64::from(attempt)))
    }
}

/// The service.
pub(crate) struct Bank;

#[service(crate = infinitic_runtime)]
impl Bank {
    async fn plain(&self, call: Call, input: u64) -> Result<u64, TaskFault> {
        perform(&call, input)
    }

    #[retry(max_attempts = 4, initial = "500ms", jitter = 0.0)]
    async fn stubborn(&self, call: Call, input: u64) -> Result<u64, TaskFault> {
        perform(&call, input)
    }

    #[retry(max_attempts = 3, initial = "1s", jitter = 0.0)]
    #[timeout("5s", grace = "1s")]
    async fn limited(&self, call: Call, input: u64) -> Result<u64, TaskFault> {
        perform(&call, input)
    }

    #[retry(with = Persistent)]
    async fn custom(&self, call: Call, input: u64) -> Result<u64, TaskFault> {
        perform(&call, input)
    }
}

fn perform(call: &Call, input: u64) -> Result<u64, TaskFault> {
    // What the attempt before has left, and it alone. A panic is not what the model expects.
    let left = task::meta().remove("attempt");
    let before = task::attempt().checked_sub(1);
    assert_eq!(left, before.map(|before| before.to_string()), "meta");
    task::set_meta("attempt", task::attempt().to_string());
    match call.fault(task::retry_sequence(), task::attempt()) {
        None => Ok(mix(u64::from(call.label), input)),
        Some(Fault::Broken) => Err(TaskFault::Broken(call.label)),
        Some(Fault::Busy) => Err(TaskFault::Busy(call.label)),
        Some(Fault::Fatal) => Err(TaskFault::Fatal(call.label)),
        Some(Fault::Panic) => panic!("call {} panics", call.label),
    }
}

/// What the property holds: who changed it last, and a sum that does not depend on the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) label: u32,
    pub(crate) sum: u64,
}

/// The workflow.
#[workflow(crate = infinitic_runtime)]
#[derive(Default)]
pub(crate) struct Simulated {
    total: Property<Total>,
}

#[workflow(crate = infinitic_runtime)]
impl Simulated {
    async fn run(&self, program: Op) -> Result<u64, ProgramError> {
        let value = interpret(&program, 0, &Arc::default(), self).await?;
        Ok(mix(value, self.total.get().sum))
    }
}

type Value = Result<u64, ProgramError>;
type ValueFuture<'a> = Pin<Box<dyn Future<Output = Value> + Send + 'a>>;

/// Dispatched tasks that code may await: those of a `Seq`, and of those around it.
#[derive(Default)]
struct Scope {
    around: Option<Arc<Self>>,
    own: Mutex<BTreeMap<u32, Deferred<u64, TaskFault>>>,
}

impl Scope {
    fn find(&self, label: u32) -> Deferred<u64, TaskFault> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        match (own.get(&label), &self.around) {
            (Some(found), _) => found.clone(),
            (None, Some(around)) => around.find(label),
            (None, None) => panic!("programs await what they have dispatched before"),
        }
    }
}

fn interpret<'a>(
    op: &'a Op,
    input: u64,
    scope: &'a Arc<Scope>,
    this: &'a Simulated,
) -> ValueFuture<'a> {
    let arms = |ops: &'a [Op]| -> Vec<ValueFuture<'a>> {
        ops.iter()
            .map(|op| interpret(op, input, scope, this))
            .collect()
    };
    match op {
        Op::Task(call) => Box::pin(async move { Ok(task_call(call, input).await?) }),
        Op::Step(call) => Box::pin(async move { Ok(step_call(call, input).await?) }),
        Op::Timer { label, ms } => Box::pin(wait(*label, *ms)),
        Op::Seq(ops) => Box::pin(sequence(ops, input, scope, this)),
        Op::Catch(op) => Box::pin(async move {
            let value = interpret(op, input, scope, this).await;
            Ok(value.unwrap_or_else(|error| number::of_error(&error)))
        }),
        Op::Await { label } => {
            let deferred = scope.find(*label);
            Box::pin(async move { Ok(deferred.await?) })
        }
        Op::Join(ops) => Box::pin(joined(arms(ops))),
        Op::Select(ops) => Box::pin(selected(arms(ops))),
        Op::Any(ops) => {
            let arms = arms(ops);
            Box::pin(async move {
                any(arms)
                    .await
                    .map(|(index, value)| mix(index as u64, value))
            })
        }
        Op::All(ops) => {
            let arms = arms(ops);
            Box::pin(async move { Ok(all(arms).await?.into_iter().fold(0, mix)) })
        }
        Op::Unordered(ops) => Box::pin(unordered(arms(ops))),
        Op::Inline { .. }
        | Op::Set { .. }
        | Op::Now
        | Op::Draw
        | Op::Trap
        | Op::Dispatch { .. }
        | Op::Cancel { .. } => Box::pin(async move { Ok(at_once(op, input, scope, this)) }),
    }
}

/// What waits for nothing.
fn at_once(op: &Op, input: u64, scope: &Scope, this: &Simulated) -> u64 {
    match op {
        Op::Inline { label } => {
            // A value that is another one each time it is computed: replay must not compute it.
            let (label, count) = inline(|| (*label, INLINED.replace(INLINED.get() + 1)));
            mix(u64::from(label), count)
        }
        Op::Set { label } => {
            this.total.update(|total| {
                total.label = *label;
                total.sum = total.sum.wrapping_add(mix(7, u64::from(*label)));
            });
            u64::from(*label)
        }
        Op::Now => now().as_millis(),
        Op::Draw => random(),
        Op::Trap => {
            assert!(!BROKEN.get(), "this deployment is broken");
            0
        }
        Op::Dispatch {
            call,
            cancel_on_drop,
        } => {
            let mut deferred = task_call(call, input).dispatch();
            if *cancel_on_drop {
                deferred = deferred.cancel_on_drop();
            }
            let mut own = scope.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.insert(call.label, deferred);
            u64::from(call.label)
        }
        Op::Cancel { label } => {
            scope.find(*label).cancel();
            u64::from(*label)
        }
        _ => unreachable!("the caller has matched those that wait for nothing"),
    }
}

async fn sequence(ops: &[Op], input: u64, scope: &Arc<Scope>, this: &Simulated) -> Value {
    let own = Arc::new(Scope {
        around: Some(Arc::clone(scope)),
        own: Mutex::default(),
    });
    let mut value = input;
    for op in ops {
        value = mix(value, interpret(op, value, &own, this).await?);
    }
    Ok(value)
}

async fn wait(label: u32, ms: u64) -> Value {
    // A mark before it, by which the model finds it.
    let label = inline(|| u64::from(label));
    match ms {
        0 => timer_at(Timestamp::from_millis(label)).await,
        ms => timer(Duration::from_millis(ms)).await,
    }
    Ok(label)
}

fn task_call(call: &Call, input: u64) -> infinitic_runtime::workflow::Call<u64, TaskFault> {
    let mut bank = new_service::<BankStub>();
    if let Some(ms) = call.limit_ms {
        bank = bank.with_timeout(Duration::from_millis(ms));
    }
    let args = call.clone();
    match call.kind {
        Kind::Plain => bank.plain(args, input),
        Kind::Stubborn => bank.stubborn(args, input),
        Kind::Limited => bank.limited(args, input),
        Kind::Custom => bank.custom(args, input),
    }
}

fn step_call(call: &Call, input: u64) -> Step<u64, TaskFault> {
    let retry = |max_attempts| ExponentialRetry {
        max_attempts,
        jitter: 0.0,
        ..ExponentialRetry::DEFAULT
    };
    let args = call.clone();
    let step = step(&format!("step-{}", call.label), move || {
        let args = args.clone();
        async move { perform(&args, input) }
    });
    match call.kind {
        Kind::Plain => step,
        Kind::Stubborn => step.retry_with(retry(4)),
        Kind::Limited => step
            .retry_with(retry(3))
            .timeout(Duration::from_millis(LIMIT_MS)),
        Kind::Custom => step.retry_with(retry(2)),
    }
}

async fn joined(arms: Vec<ValueFuture<'_>>) -> Value {
    let mut arms = arms.into_iter();
    match (arms.next(), arms.next(), arms.next()) {
        (Some(a), Some(b), None) => {
            let (a, b) = join!(a, b);
            Ok(mix(a?, b?))
        }
        (Some(a), Some(b), Some(c)) => {
            let (a, b, c) = join!(a, b, c);
            Ok(mix(mix(a?, b?), c?))
        }
        _ => unreachable!("programs have two or three arms"),
    }
}

async fn selected(arms: Vec<ValueFuture<'_>>) -> Value {
    let mut arms = arms.into_iter();
    match (arms.next(), arms.next(), arms.next()) {
        (Some(a), Some(b), None) => select! {
            a = a => Ok(mix(0, a?)),
            b = b => Ok(mix(1, b?)),
        },
        (Some(a), Some(b), Some(c)) => select! {
            a = a => Ok(mix(0, a?)),
            b = b => Ok(mix(1, b?)),
            c = c => Ok(mix(2, c?)),
        },
        _ => unreachable!("programs have two or three arms"),
    }
}

async fn unordered(arms: Vec<ValueFuture<'_>>) -> Value {
    let mut left: FuturesUnordered<_> = arms.into_iter().collect();
    let mut value = 0;
    while let Some(ended) = left.next().await {
        value = mix(
            value,
            ended.unwrap_or_else(|error| number::of_error(&error)),
        );
    }
    Ok(value)
}
