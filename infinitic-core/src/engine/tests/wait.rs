//! Clients that wait for the end, and clients that look.

use super::*;

fn waits(request: u64) -> Message {
    Message::ClientWaits {
        request: RequestId(request),
    }
}

#[test]
fn a_wait_before_the_end_is_answered_at_the_end() {
    let mut s = Scenario::with([task("a")]);
    s.send(waits(1)).gives(&[], &[]);
    s.attempt(0, value("7")).turn([end_ok()]);
    s.gives(
        &["run ended ok 1"],
        &["drop run", "tell 1: ended ok 1", "end instance"],
    );
}

#[test]
fn a_repeated_wait_is_answered_once() {
    let mut s = Scenario::with([task("a")]);
    s.send(waits(1))
        .send(waits(2))
        .send(waits(1))
        .turn([end_failed()]);
    s.gives(
        &["run ended failed no"],
        &[
            "drop run",
            "tell 1: ended failed no",
            "tell 2: ended failed no",
        ],
    );
}

#[test]
fn a_wait_after_the_end_is_answered_at_once() {
    let mut s = Scenario::with([end_ok()]);
    s.later(99)
        .send(waits(1))
        .gives(&[], &["tell 1: ended ok 1"]);
    assert!(s.instance().waiting.is_empty());
}

#[test]
fn a_wait_is_answered_when_the_method_has_ended_though_tasks_hold_the_instance() {
    let mut s = Scenario::with([task("a"), end_ok()]);
    s.send(waits(1)).gives(&[], &["tell 1: ended ok 1"]);
}

#[test]
fn a_wait_on_a_stopped_instance_waits_on() {
    let mut s = Scenario::with([task("a")]);
    s.send(stopped("panic")).send(waits(1)).gives(&[], &[]);
    assert_eq!(s.instance().waiting, [RequestId(1)]);
}

fn inspect(s: &mut Scenario) -> InstanceState {
    s.send(Message::Inspect {
        request: RequestId(1),
    });
    match s.effects.as_slice() {
        [
            Effect::Answer {
                request: RequestId(1),
                answer: Answer::State(state),
            },
        ] => (**state).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn inspect_tells_what_is_waited_for() {
    let mut s = Scenario::with([task("a"), step("resize"), timer(50)]);
    s.later(5).attempt(0, fails("boom", Some(10)));
    let due = |ms| T0 + Duration::from_millis(ms);
    assert_eq!(
        inspect(&mut s).waits,
        [
            format!("task Bank.a, attempt 1 at {}", due(15)),
            "step resize, attempt 0".to_owned(),
            format!("timer at {}", due(50)),
        ]
    );
}

#[test]
fn inspect_tells_how_the_instance_stands() {
    let mut s = Scenario::with([task("a")]);
    s.later(5).send(stopped("panic"));
    let expected = InstanceState {
        id: s.id,
        workflow: WorkflowName::known("Orders"),
        version: 2,
        status: Status::Stopped,
        tags: vec!["tag".to_owned()],
        started_at: T0,
        changed_at: s.now,
        stopped: Some(failure(FailureKind::Stopped, "panic")),
        waits: vec!["task Bank.a, attempt 0".to_owned()],
    };
    assert_eq!(inspect(&mut s), expected);
    let mut s = Scenario::with([end_failed()]);
    assert_eq!(inspect(&mut s).status, Status::Failed);
    assert!(inspect(&mut s).waits.is_empty());
}
