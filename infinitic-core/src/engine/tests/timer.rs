//! Timers, pauses and deadlines: early, due, stale.

use super::*;

#[test]
fn a_timer_rings_when_it_is_due() {
    let mut s = Scenario::with([timer(50)]);
    s.gives(&["timer"], &["arm Timer #0 r0 +50"]);
    s.later(50).rings(TimerKind::Timer, 0);
    s.gives(&["#0 due"], &["turn with #0 due"]);
}

#[test]
fn a_timer_in_the_past_is_armed_for_the_past() {
    let mut s = Scenario::nothing();
    s.later(90).send(start(None, None)).turn([timer(50)]);
    s.gives(&["timer"], &["arm Timer #0 r0 +50"]);
    s.rings(TimerKind::Timer, 0)
        .gives(&["#0 due"], &["turn with #0 due"]);
}

#[test]
fn an_early_timer_is_armed_again() {
    let mut s = Scenario::with([timer(50), task_within("a", 60)]);
    s.later(49);
    s.rings(TimerKind::Timer, 0)
        .gives(&[], &["arm Timer #0 r0 +50"]);
    s.rings(TimerKind::Deadline, 1)
        .gives(&[], &["arm Deadline #1 r0 +60"]);
    s.attempt(1, fails("boom", Some(2)));
    s.rings(TimerKind::Backoff, 1)
        .gives(&[], &["arm Backoff #1 r0 +51"]);
}

#[test]
fn a_stale_timer_is_ignored() {
    let mut s = Scenario::with([timer(50), task("a"), step("s")]);
    let (over, task, step) = (s.command(0), s.command(1), s.command(2));
    s.later(50).rings(TimerKind::Timer, 0).turn([]);
    s.ignores(rings(TimerKind::Timer, over));
    // Kinds that the command does not have, or not now.
    for kind in [TimerKind::Timer, TimerKind::Backoff, TimerKind::Deadline] {
        s.ignores(rings(kind, task));
        s.ignores(rings(kind, step));
    }
    let never = CommandId {
        position: Position(9),
        ..task
    };
    s.ignores(rings(TimerKind::Timer, never));
}

#[test]
fn a_timer_has_no_pause_and_no_deadline() {
    let mut s = Scenario::with([timer(50)]);
    let id = s.command(0);
    s.later(60);
    s.ignores(rings(TimerKind::Backoff, id));
    s.ignores(rings(TimerKind::Deadline, id));
}

#[test]
fn a_deadline_takes_the_attempt_back() {
    let mut s = Scenario::with([task_within("a", 100)]);
    s.gives(
        &["call of task `Bank.a`"],
        &["arm Deadline #0 r0 +100", "task #0 r0 s0 a0"],
    );
    let late = s.attempt_ended(0, value("7"));
    s.later(100).rings(TimerKind::Deadline, 0);
    s.gives(
        &["#0 timed out"],
        &[
            "drop Deadline #0 r0 +100",
            "cancel #0 r0",
            "turn with #0 timed out",
        ],
    );
    s.ignores(late);
}

#[test]
fn a_deadline_ends_a_pause() {
    let mut s = Scenario::with([task_within("a", 100)]);
    s.attempt(0, fails("boom", Some(1000)));
    s.later(100).rings(TimerKind::Deadline, 0);
    s.gives(
        &["#0 timed out"],
        &[
            "drop Deadline #0 r0 +100",
            "drop Backoff #0 r0 +1000",
            "cancel #0 r0",
            "turn with #0 timed out",
        ],
    );
}

#[test]
fn a_deadline_ends_a_task_that_outlives_its_run() {
    let mut s = Scenario::with([task_within("a", 100), end_ok()]);
    s.later(100).rings(TimerKind::Deadline, 0);
    s.gives(
        &["#0 timed out"],
        &["drop Deadline #0 r0 +100", "cancel #0 r0", "end instance"],
    );
}

#[test]
fn a_clock_that_runs_back_does_not_take_time_back() {
    let mut s = Scenario::nothing();
    s.later(80)
        .send(start(None, None))
        .turn([task_within("a", 20)]);
    s.now = T0;
    s.attempt(0, fails("boom", Some(10)));
    s.gives(
        &["#0 a0 failed boom, again +90"],
        &["arm Backoff #0 r0 +90"],
    );
    s.rings(TimerKind::Backoff, 0)
        .gives(&[], &["arm Backoff #0 r0 +90"]);
    assert_eq!(s.instance().changed_at, T0 + Duration::from_millis(80));
}

#[test]
fn a_limit_beyond_the_end_of_time_never_ends() {
    let mut s = Scenario::with([task_within("a", u64::MAX)]);
    s.gives(
        &["call of task `Bank.a`"],
        &["arm Deadline #0 r0 never", "task #0 r0 s0 a0"],
    );
    s.attempt(0, fails("boom", Some(u64::MAX)));
    s.gives(
        &["#0 a0 failed boom, again never"],
        &["arm Backoff #0 r0 never"],
    );
}
