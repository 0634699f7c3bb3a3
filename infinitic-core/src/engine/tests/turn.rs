//! Ended turns: what each command leads to, how runs end, how code comes to stand still.

use super::*;
use crate::names::{ChannelName, PatchName, PropertyName};

#[test]
fn commands_are_recorded_in_order_and_asked_for() {
    let mut s = Scenario::with([task("a"), step("resize"), timer(50), task_within("b", 90)]);
    s.gives(
        &[
            "call of task `Bank.a`",
            "step `resize`",
            "timer",
            "call of task `Bank.b`",
        ],
        &[
            "task #0 r0 s0 a0",
            "step #1 r0 s0 a0",
            "arm Timer #2 r0 +50",
            "arm Deadline #3 r0 +90",
            "task #3 r0 s0 a0",
        ],
    );
    s.turn([task("c")]);
    s.gives(&["call of task `Bank.c`"], &["task #4 r0 s0 a0"]);
    assert_eq!(s.run().commands, 5);
    assert!(s.instance().has_open_step());
}

#[test]
fn what_is_done_at_once_only_takes_a_place() {
    let done = [
        Command::Inline { value: json("4") },
        Command::SetProperty {
            name: PropertyName::known("status"),
            value: json("5"),
        },
        Command::Patch {
            name: PatchName::known("faster"),
        },
        Command::OpenReceive {
            channel: ChannelName::known("deliveries"),
            limit: None,
            filter: None,
        },
        Command::RegisterCompensation {
            call: Box::new(task("undo")),
        },
        Command::ContinueWith { args: json("[]") },
    ];
    let mut s = Scenario::with(done.clone());
    assert_eq!((s.entries.len(), s.effects.len()), (done.len(), 0));
    assert!(s.run().open.is_empty());
    s.turn([task("a")])
        .gives(&["call of task `Bank.a`"], &["task #6 r0 s0 a0"]);
}

#[test]
fn cancel_takes_back_a_task_with_its_alarms() {
    let mut s = Scenario::with([task_within("a", 90)]);
    s.attempt(0, fails("boom", Some(10)));
    let (backoff, deadline) = (
        rings(TimerKind::Backoff, s.command(0)),
        rings(TimerKind::Deadline, s.command(0)),
    );
    s.turn([cancel(0)]).gives(
        &["cancel of command 0"],
        &[
            "drop Deadline #0 r0 +90",
            "drop Backoff #0 r0 +10",
            "cancel #0 r0",
        ],
    );
    s.later(100).ignores(backoff).ignores(deadline);
}

#[test]
fn cancel_takes_back_timers_and_steps() {
    let mut s = Scenario::with([timer(50), step("resize")]);
    s.turn([cancel(0)])
        .gives(&["cancel of command 0"], &["drop Timer #0 r0 +50"]);
    s.turn([cancel(1)])
        .gives(&["cancel of command 1"], &["cancel #1 r0"]);
    assert!(!s.instance().has_open_step());
}

#[test]
fn cancel_of_what_is_over_only_takes_a_place() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, value("7"))
        .turn([cancel(0), cancel(9), task("b")]);
    s.gives(
        &[
            "cancel of command 0",
            "cancel of command 9",
            "call of task `Bank.b`",
        ],
        &["task #3 r0 s0 a0"],
    );
}

#[test]
fn an_empty_turn_changes_nothing() {
    Scenario::with([task("a")]).ignores(turn_ended([]));
}

#[test]
fn the_end_tells_all_who_wait() {
    let mut s = Scenario::nothing();
    s.send(start(Some(1), Some(2)));
    s.send(Message::ClientWaits {
        request: RequestId(3),
    });
    s.later(5).turn([end_ok()]);
    s.gives(
        &["run ended ok 1"],
        &[
            "drop run",
            "tell 2: ended ok 1",
            "tell 3: ended ok 1",
            "end instance",
        ],
    );
    assert_eq!(s.status(), Status::Completed);
    assert!(s.instance().waiting.is_empty());
}

#[test]
fn a_failed_end_says_which_instance_failed() {
    let mut s = Scenario::with([end_failed()]);
    s.gives(&["run ended failed no"], &["drop run", "end instance"]);
    assert_eq!(s.status(), Status::Failed);
    let Some(Err(failure)) = &s.run().result else {
        panic!("{:?}", s.run());
    };
    let origin = Origin::Instance {
        id: s.id,
        workflow: WorkflowName::known("Orders"),
    };
    assert_eq!(failure.origin, Some(origin));
}

#[test]
fn open_tasks_hold_the_instance_but_timers_and_steps_are_dropped() {
    let mut s = Scenario::nothing();
    s.send(start(None, Some(2)));
    s.turn([task("a"), timer(50), step("resize"), end_ok()]);
    s.gives(
        &[
            "call of task `Bank.a`",
            "timer",
            "step `resize`",
            "run ended ok 1",
        ],
        &[
            "task #0 r0 s0 a0",
            "arm Timer #1 r0 +50",
            "step #2 r0 s0 a0",
            "drop Timer #1 r0 +50",
            "cancel #2 r0",
            "drop run",
            "tell 2: ended ok 1",
        ],
    );
    assert_eq!(s.status(), Status::Running);
    s.attempt(0, fails("boom", Some(10)));
    assert_eq!(s.status(), Status::Running);
    s.later(10).rings(TimerKind::Backoff, 0);
    s.attempt(0, fails("boom", None))
        .gives(&["#0 failed boom"], &["end instance"]);
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn commands_after_the_end_are_void() {
    let mut s = Scenario::with([end_ok(), task("a")]);
    s.gives(&["run ended ok 1"], &["drop run", "end instance"]);
}

#[test]
fn turns_of_ended_and_unknown_runs_are_ignored() {
    let mut s = Scenario::with([end_ok()]);
    s.ignores(turn_ended([task("a")])).ignores(stopped("panic"));
    let mut s = Scenario::with([task("a")]);
    s.ignores(Message::TurnEnded {
        run: RunNo(3),
        report: TurnReport {
            commands: vec![end_ok()],
            stopped: None,
        },
    });
}

#[test]
fn a_stopped_turn_is_void_and_explained() {
    let mut s = Scenario::with([task("a")]);
    s.later(5).send(stopped("panicked at orders.rs:7"));
    s.gives(&["stopped: panicked at orders.rs:7"], &[]);
    assert_eq!(s.status(), Status::Stopped);
    assert_eq!(s.run().commands, 1);
    assert_eq!(s.instance().changed_at, s.now);
}

#[test]
fn retry_turn_lets_stopped_code_try_again() {
    let mut s = Scenario::with([task("a")]);
    s.send(stopped("panic")).attempt(0, value("7"));
    let request = Some(RequestId(6));
    s.send(Message::RetryTurn { cut: None, request });
    s.gives(&["turn retried"], &["replay", "tell 6: done"]);
    assert_eq!(s.status(), Status::Running);
    s.turn([end_ok()])
        .gives(&["run ended ok 1"], &["drop run", "end instance"]);
}

#[test]
fn retry_turn_gives_steps_out_that_found_no_future() {
    let mut s = Scenario::with([step("resize"), task("a"), timer(90)]);
    s.send(stopped("panic")).attempt(0, fails("boom", Some(10)));
    s.later(10).rings(TimerKind::Backoff, 0);
    s.gives(&[], &["step #0 r0 s0 a1"]);
    s.send(Message::RetryTurn {
        cut: None,
        request: None,
    });
    s.gives(&["turn retried"], &["replay", "step #0 r0 s0 a1"]);
}
