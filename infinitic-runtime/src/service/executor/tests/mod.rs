//! Attempts from dispatch to outcome. Conditions are waited for, never times.

mod bank;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc as sync_channel;
use std::time::Duration;

use infinitic_core::names::{ServiceName, StepName, TaskName, WorkflowName};
use infinitic_core::{
    Attempt, FailureKind, FailureRecord, Message, Origin, Payload, Position, Sequence, StepAttempt,
};
use tokio::sync::{Semaphore, mpsc};

use super::{Concurrency, Executor, StepWork};
use crate::contract::finish_value;
use crate::service::{HostedServices, task};
use bank::{Bank, Harness, NO_RETRY, RETRY, attempt, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_gives_its_value() {
    let mut harness = Harness::new();
    harness.run("double", 0);
    assert_eq!(harness.value().await, "42");
    assert_eq!(harness.executor.load(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_do_not_decode_end_the_task_at_once() {
    let mut harness = Harness::new();
    let mut bad = attempt("double", 0);
    bad.args = Payload::from_json(r#"["x"]"#);
    harness.executor.dispatch([Box::new(bad)]);
    let (failure, retry) = harness.failed().await;
    assert_eq!((failure.kind, retry), (FailureKind::Undecodable, None));
    assert!(
        failure.message.contains("argument `value` of type `u32`"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_says_who_failed_and_how_it_goes_on() {
    let mut harness = Harness::new();
    harness.run("busy", 3);
    let (failure, retry) = harness.failed().await;
    assert_eq!((failure.kind, retry), (FailureKind::Failed, Some(70)));
    let origin = Origin::Task {
        id: id(3),
        service: ServiceName::known("Bank"),
        task: TaskName::known("busy"),
        worker: "w1".to_owned(),
        attempts: 1,
    };
    assert_eq!(failure.origin, Some(origin));

    let mut last = attempt("busy", 3);
    last.attempt = Attempt(2);
    harness.executor.dispatch([last]);
    assert_eq!(harness.failed().await.1, None);
    harness.run("declined", 4);
    assert_eq!(harness.failed().await.1, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_failed_attempt() {
    let mut harness = Harness::new();
    harness.run("panics", 0);
    let (failure, retry) = harness.failed().await;
    assert_eq!((failure.kind, retry), (FailureKind::Panicked, Some(100)));
    assert!(
        failure.message.starts_with("boom (at "),
        "{}",
        failure.message
    );
    assert!(failure.message.contains("bank.rs:"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_of_the_user_decides_and_may_panic() {
    let mut harness = Harness::new();
    let mut third = attempt("custom", 0);
    third.attempt = Attempt(2);
    third.previous = vec!["a".to_owned(), "b".to_owned()];
    harness.executor.dispatch([third]);
    let (failure, retry) = harness.failed().await;
    assert_eq!(retry, Some(1002));
    assert!(failure.previous.is_empty(), "the engine keeps them");

    let mut late = attempt("custom", 1);
    late.attempt = Attempt(9);
    harness.executor.dispatch([late]);
    let (failure, retry) = harness.failed().await;
    assert_eq!(retry, None);
    assert_eq!(
        failure.sources,
        ["and its retry policy panicked: the policy gives up"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_is_told_then_enforced() {
    let mut harness = Harness::new();
    let begin = tokio::time::Instant::now();
    harness.run("hangs", 7);
    assert_eq!(harness.told().await, "begun");
    assert_eq!(harness.told().await, "cancelled");
    assert_eq!(begin.elapsed().as_secs(), 2);
    assert_eq!(harness.told().await, "dropped 7");
    assert_eq!(begin.elapsed().as_secs(), 3);
    let (failure, retry) = harness.failed().await;
    assert_eq!((failure.kind, retry), (FailureKind::TimedOut, Some(100)));
    assert_eq!(
        failure.message,
        "the attempt took longer than its limit of 2s"
    );
}

#[tokio::test(start_paused = true)]
async fn who_ends_in_the_grace_period_has_timed_out_all_the_same() {
    let mut harness = Harness::new();
    let begin = tokio::time::Instant::now();
    harness.run("polite", 0);
    assert_eq!(harness.failed().await.0.kind, FailureKind::TimedOut);
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_is_told_and_sends_nothing() {
    let mut harness = Harness::with(Concurrency {
        default: 1,
        ..Concurrency::default()
    });
    harness.run("hangs", 0);
    harness.run("hangs", 1);
    harness.run("double", 2);
    assert_eq!(harness.told().await, "begun");
    harness.executor.cancel(id(1));
    harness.executor.cancel(id(0));
    assert_eq!(harness.told().await, "cancelled");
    assert_eq!(harness.told().await, "dropped 0");
    // The queued one never began, and the third has its turn.
    assert_eq!(harness.outcome().await.0, 2);
    assert!(harness.told.try_recv().is_err());
    assert!(harness.outcomes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_holds_and_the_queue_moves_on() {
    let mut harness = Harness::with(Concurrency {
        services: [("Bank".to_owned(), 3)].into(),
        ..Concurrency::default()
    });
    harness
        .executor
        .dispatch((0..100).map(|n| attempt("gated", n)));
    for _ in 0..3 {
        harness.told().await;
    }
    assert_eq!(harness.executor.load(), 100);
    assert!(harness.told.try_recv().is_err(), "a fourth one has begun");
    harness.gate.add_permits(1);
    harness.outcome().await;
    assert_eq!(harness.told().await, "begun 3");
    harness.gate.add_permits(99);
    for _ in 0..99 {
        harness.outcome().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_runs_once_however_often_it_comes() {
    let mut harness = Harness::new();
    harness.run("gated", 0);
    assert_eq!(harness.told().await, "begun 0");
    harness.run("gated", 0);
    assert_eq!(harness.executor.load(), 1);
    // The next attempt takes the place of the one before.
    let mut next = attempt("gated", 0);
    next.attempt = Attempt(1);
    harness.executor.dispatch([next]);
    assert_eq!(harness.told().await, "begun 0");
    harness.gate.add_permits(2);
    match harness.outcomes.recv().await {
        Some(Message::AttemptEnded { attempt, .. }) => assert_eq!(attempt, Attempt(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(harness.executor.load(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_that_blocks_its_thread_starves_nobody_else() {
    let mut harness = Harness::new();
    for n in 0..8 {
        harness.run("blocks", n);
    }
    assert_eq!(harness.told().await, "begun");
    for n in 100..200 {
        harness.run("double", n);
        assert_eq!(harness.outcome().await.0, n);
    }
    for _ in 0..8 {
        harness.unblock.send(()).expect("the bank stays");
    }
    for _ in 0..8 {
        harness.value().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_hosts_waits_visibly() {
    let harness = Harness::new();
    let mut foreign = attempt("ship", 1);
    foreign.service = ServiceName::known("Stock");
    let mut second = foreign.clone();
    second.id = id(2);
    harness
        .executor
        .dispatch([second, foreign.clone(), foreign, attempt("unheard", 3)]);
    let waiting = |executor: &Executor| {
        let waiting = executor.waiting().into_iter();
        let line = |w: super::WaitingTasks| {
            format!("{}.{}×{} {}", w.service, w.task, w.count, w.oldest.position)
        };
        waiting.map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        waiting(&harness.executor),
        ["Bank.unheard×1 3", "Stock.ship×2 1"]
    );
    harness.executor.cancel(id(1));
    harness.executor.cancel(id(3));
    assert_eq!(waiting(&harness.executor), ["Stock.ship×1 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_knows_its_context() {
    let mut harness = Harness::new();
    let mut known = attempt("context", 5);
    known.attempt = Attempt(2);
    known.sequence = Sequence(1);
    known.options.tags = vec!["vip".to_owned()];
    known.options.meta = vec![("tenant".to_owned(), "7".to_owned())];
    known.options.batch_key = Some("k".to_owned());
    known.last_failure = Some(Box::new(FailureRecord::new(
        FailureKind::Failed,
        "bank busy",
    )));
    harness.executor.dispatch([known]);
    let id = id(5);
    let expected = format!(
        r#"[["{id}","Bank","context"],["{}","Orders"],[2,1,"w1"],{}]"#,
        id.instance, r#"[["vip"],{"tenant":"7"},"k",false],"bank busy""#
    );
    assert_eq!(harness.value().await, expected);
}

#[tokio::test]
async fn a_unit_test_gives_the_context_itself() {
    let position = task::scope(attempt("double", 4), async { task::id().position }).await;
    assert_eq!(position, Position(4));
}

#[test]
#[should_panic(expected = "`task::id()` was called outside of a task")]
fn outside_of_a_task_there_is_no_id() {
    let _ = task::id();
}

fn step(position: u32, name: &str) -> StepAttempt {
    StepAttempt {
        id: id(position),
        sequence: Sequence(0),
        attempt: Attempt(0),
        name: StepName::known(name),
        workflow: WorkflowName::known("Orders"),
        previous: Vec::new(),
        meta: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_run_like_tasks() {
    let mut harness = Harness::new();
    let work: StepWork = Arc::new(|| {
        Box::pin(async { finish_value((task::name().to_string(), task::service().to_string())) })
    });
    harness.executor.run_step(step(0, "resize"), work, NO_RETRY);
    assert_eq!(harness.value().await, r#"["resize","Orders"]"#);

    let work: StepWork = Arc::new(|| panic!("before its future"));
    harness
        .executor
        .run_step(Box::new(step(1, "resize")), work, RETRY);
    let (failure, retry) = harness.failed().await;
    assert_eq!((failure.kind, retry), (FailureKind::Panicked, Some(100)));
    let origin = Origin::Step {
        id: id(1),
        name: "resize".to_owned(),
        attempts: 1,
    };
    assert_eq!(failure.origin, Some(origin));
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_what_runs_and_drops_the_rest() {
    let mut harness = Harness::with(Concurrency {
        default: 2,
        ..Concurrency::default()
    });
    harness.run("gated", 0);
    harness.run("hangs", 1);
    harness.run("double", 2);
    harness.told().await;
    harness.told().await;
    let drained = tokio::spawn(harness.executor.drain(Duration::from_secs(1)));
    harness.gate.add_permits(1);
    assert_eq!(harness.outcome().await.0, 0);
    assert_eq!(drained.await.expect("it does not panic"), 1);
    assert_eq!(harness.told().await, "cancelled");
    assert_eq!(harness.told().await, "dropped 1");
    assert_eq!(harness.executor.load(), 0);
    // Neither the dropped one, nor the queued one, nor a new one tells anything.
    harness.run("double", 3);
    assert!(harness.outcomes.try_recv().is_err());
    assert_eq!(harness.executor.drain(Duration::ZERO).await, 0);
}

#[test]
fn a_task_is_hosted_once() {
    let mut hosted = HostedServices::new();
    let bank = || Bank {
        gate: Arc::new(Semaphore::new(0)),
        told: mpsc::unbounded_channel().0,
        unblock: Mutex::new(sync_channel::channel().1),
    };
    hosted.insert(bank()).expect("it is the first");
    let error = hosted
        .insert(bank())
        .expect_err("it is the second")
        .to_string();
    assert!(
        error.contains("task `Bank.double` is hosted twice"),
        "{error}"
    );
    assert_eq!(hosted.names(), [ServiceName::known("Bank")]);
}
