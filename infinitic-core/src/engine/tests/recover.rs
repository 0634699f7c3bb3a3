//! After a start of the process: what was open is given out again, what may be deadly with care.

use super::*;

fn recovered(cautious: bool) -> Message {
    Message::Recovered { cautious }
}

fn redeliver(id: CommandId) -> Message {
    Message::Redeliver {
        id,
        deliveries_max: 2,
    }
}

fn mark(s: &mut Scenario, done: bool) {
    let entry = Entry::TurnMarked { run: RUN, done };
    s.instance.as_mut().unwrap().evolve(&entry);
    s.log.push(entry);
}

#[test]
fn what_was_open_is_given_out_again() {
    let mut s = Scenario::with([task_within("a", 90), timer(50), task("b")]);
    s.attempt(2, fails("boom", Some(20)));
    s.later(5).send(recovered(false));
    s.gives(
        &[],
        &[
            "arm Deadline #0 r0 +90",
            "task #0 r0 s0 a0",
            "arm Timer #1 r0 +50",
            "arm Backoff #2 r0 +20",
        ],
    );
}

#[test]
fn a_pause_that_ended_meanwhile_is_over() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails("boom", Some(20)));
    s.later(20)
        .send(recovered(false))
        .gives(&[], &["task #0 r0 s0 a1"]);
}

#[test]
fn an_open_step_needs_its_live_future_first() {
    let mut s = Scenario::with([task("a"), step("resize")]);
    s.send(recovered(false));
    s.gives(&[], &["replay", "task #0 r0 s0 a0", "step #1 r0 s0 a0"]);
}

#[test]
fn ended_runs_are_not_replayed_but_their_tasks_go_on() {
    let mut s = Scenario::with([task("a"), end_ok()]);
    s.send(recovered(false)).gives(&[], &["task #0 r0 s0 a0"]);
    let mut s = Scenario::with([end_ok()]);
    s.ignores(recovered(false)).ignores(recovered(true));
}

#[test]
fn stopped_code_gets_another_try() {
    let mut s = Scenario::with([task("a")]);
    s.send(stopped("panic")).send(recovered(false));
    s.gives(&["turn retried"], &["replay", "task #0 r0 s0 a0"]);
}

#[test]
fn cautious_recovery_suspects_what_was_given_out() {
    let mut s = Scenario::with([task_within("a", 90), step("resize"), timer(50), task("b")]);
    s.attempt(3, fails("boom", Some(20)));
    s.later(5).send(recovered(true));
    s.gives(
        &[],
        &[
            "replay",
            "suspect #0",
            "suspect #1",
            "arm Timer #2 r0 +50",
            "arm Backoff #3 r0 +20",
        ],
    );
    let id = s.command(0);
    s.send(redeliver(id));
    s.gives(
        &["#0 a0 redelivered"],
        &["arm Deadline #0 r0 +90", "task #0 r0 s0 a0"],
    );
}

#[test]
fn cautious_recovery_suspects_a_later_attempt_too() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails("boom", Some(20))).later(20);
    s.rings(TimerKind::Backoff, 0).later(1);
    s.send(recovered(true)).gives(&[], &["suspect #0"]);
    let id = s.command(0);
    s.send(redeliver(id));
    s.gives(&["#0 a1 redelivered"], &["task #0 r0 s0 a1"]);
}

#[test]
fn an_attempt_that_kills_the_process_too_often_has_crashed() {
    let mut s = Scenario::with([task_within("a", 90)]);
    s.attempt(0, fails("boom", Some(0)));
    let id = s.command(0);
    for _ in 0..2 {
        s.send(recovered(true)).send(redeliver(id));
        assert_eq!(s.entries.len(), 1);
    }
    s.send(recovered(true)).gives(&[], &["suspect #0"]);
    let why = "the process died each time this attempt ran: at first, and after each of its 2 \
               redeliveries";
    s.send(redeliver(id));
    s.gives(
        &[&format!("#0 failed {why}")],
        &[
            "drop Deadline #0 r0 +90",
            "drop Backoff #0 r0 +0",
            "cancel #0 r0",
            &format!("turn with #0 failed {why}"),
        ],
    );
    let Entry::Delivered {
        outcome: Outcome::Failed(failure),
        ..
    } = &s.entries[0]
    else {
        panic!("{:?}", s.entries);
    };
    assert_eq!(failure.kind, FailureKind::Crashed);
    assert_eq!(failure.previous, ["boom"]);
    let Some(Origin::Task { attempts: 2, .. }) = failure.origin else {
        panic!("{:?}", failure.origin);
    };
}

#[test]
fn a_step_that_kills_the_process_has_crashed_too() {
    let mut s = Scenario::with([step("resize")]);
    let id = s.command(0);
    s.send(redeliver(id))
        .send(redeliver(id))
        .send(redeliver(id));
    let Entry::Delivered {
        outcome: Outcome::Failed(failure),
        ..
    } = &s.entries[0]
    else {
        panic!("{:?}", s.entries);
    };
    assert_eq!(failure.kind, FailureKind::Crashed);
    assert!(matches!(failure.origin, Some(Origin::Step { .. })));
}

#[test]
fn redeliveries_are_counted_for_each_attempt() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.send(redeliver(id)).send(redeliver(id));
    s.attempt(0, fails("boom", Some(0))).send(redeliver(id));
    s.gives(&["#0 a1 redelivered"], &["task #0 r0 s0 a1"]);
}

#[test]
fn what_is_over_is_not_redelivered() {
    let mut s = Scenario::with([task("a"), timer(50)]);
    let (id, timer) = (s.command(0), s.command(1));
    s.attempt(0, value("7")).turn([]);
    s.ignores(redeliver(id)).ignores(redeliver(timer));
}

#[test]
fn a_turn_that_was_cut_off_runs_again() {
    let mut s = Scenario::with([task("a")]);
    mark(&mut s, false);
    s.send(recovered(true))
        .gives(&[], &["replay", "suspect #0"]);
    mark(&mut s, true);
    s.send(recovered(true)).gives(&[], &["suspect #0"]);
}

#[test]
fn a_turn_that_kills_the_process_twice_is_stopped_once() {
    let mut s = Scenario::with([task("a")]);
    mark(&mut s, false);
    mark(&mut s, false);
    s.send(recovered(true));
    s.gives(
        &[
            "stopped: the process died each time this turn ran (a stack overflow, an abort?); \
           mend the workflow's code, then use retry_turn",
        ],
        &["suspect #0"],
    );
    assert_eq!(s.status(), Status::Stopped);
    // Each further start of the process leaves it so, and writes nothing.
    s.send(recovered(true)).gives(&[], &["suspect #0"]);
    s.send(recovered(false)).gives(&[], &["task #0 r0 s0 a0"]);
    assert_eq!(s.status(), Status::Stopped);
}

#[test]
fn mended_code_is_not_held_guilty_of_deadly_turns() {
    let mut s = Scenario::with([task("a")]);
    mark(&mut s, false);
    mark(&mut s, false);
    s.send(recovered(true)).retry_turn(1);
    s.gives(&["turn retried"], &["replay", "tell 9: done"]);
    s.send(recovered(false)).gives(&[], &["task #0 r0 s0 a0"]);
    assert_eq!(s.status(), Status::Running);
}

#[test]
fn a_turn_that_the_process_outlived_was_not_deadly() {
    let mut s = Scenario::with([task("a"), task("b")]);
    mark(&mut s, false);
    s.send(recovered(false))
        .gives(&[], &["replay", "task #0 r0 s0 a0", "task #1 r0 s0 a0"]);
    s.attempt(0, value("7"));
    mark(&mut s, false);
    s.send(recovered(false))
        .gives(&[], &["replay", "task #1 r0 s0 a0"]);
    assert_eq!(s.status(), Status::Running);
}
