//! Reopening failed runs: `retry_tasks` and `retry_turn` with their cuts.

use super::*;

/// Three parallel tasks; `a` fails, and the run by it. `b` and `c` hold the instance open.
fn failed_beside_two() -> Scenario {
    let mut s = Scenario::with([task("a"), task("b"), task("c")]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    assert_eq!(s.status(), Status::Running, "its tasks hold it");
    s
}

#[test]
fn retry_tasks_starts_the_failed_task_anew() {
    let mut s = Scenario::with([task_within("a", 90)]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    assert_eq!(s.status(), Status::Failed);
    s.later(1000).retry_tasks(1);
    s.gives(
        &["reopened, 1 commands, 0 outcomes, open [#0 r0 s1 a0]"],
        &[
            "reopen instance",
            "drop run",
            "replay",
            // The limit is armed anew.
            "arm Deadline #0 r0 +1090",
            "task #0 r0 s1 a0",
            "tell 8: done",
        ],
    );
    assert_eq!(s.status(), Status::Running);
    s.attempt(0, value("7")).gives(
        &["#0 value 7"],
        &["drop Deadline #0 r0 +1090", "turn with #0 value 7"],
    );
    s.turn([end_ok()]);
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn retry_tasks_twice_is_refused() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    let history = s.history();
    let cut = plan_retry_tasks(RUN, &history).unwrap().cut(&history, 1);
    let message = Message::RetryTasks {
        cut: Some(Box::new(cut)),
        request: Some(RequestId(8)),
    };
    s.send(message.clone()).send(message);
    s.gives(
        &[],
        &[
            "tell 8: Refused: there is nothing to retry: no failed task led to its end; mend the \
           code and use retry_turn",
        ],
    );
}

#[test]
fn a_task_that_fails_again_is_retried_again() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    for sequence in 1..4 {
        s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
        s.retry_tasks(1);
        let task = format!("task #0 r0 s{sequence} a0");
        assert_eq!(words::effect(&s.effects[3]), task);
        assert_eq!(s.command(0), id, "its id stays");
    }
}

#[test]
fn tasks_beside_the_failed_one_go_on_untouched() {
    let mut s = failed_beside_two();
    // `b` is in a pause, `c` in its second attempt.
    s.attempt(2, fails("shaky", Some(5)))
        .later(5)
        .rings(TimerKind::Backoff, 2);
    s.attempt(1, fails("busy", Some(50)));
    let before = s.run().open.clone();
    let running = s.attempt_ended(2, value("9"));
    s.retry_tasks(3);
    s.gives(
        &["reopened, 3 commands, 0 outcomes, open [#0 r0 s1 a0, #1 r0 s0 a1, #2 r0 s0 a1]"],
        &["drop run", "replay", "task #0 r0 s1 a0", "tell 8: done"],
    );
    for position in [Position(1), Position(2)] {
        assert_eq!(s.run().open[&position], before[&position]);
    }
    s.send(running)
        .gives(&["#2 value 9"], &["turn with #2 value 9"]);
    s.later(50)
        .rings(TimerKind::Backoff, 1)
        .gives(&[], &["task #1 r0 s0 a1"]);
}

#[test]
fn a_task_completed_after_the_cut_is_told_again() {
    let mut s = failed_beside_two();
    s.attempt(1, value("7"));
    s.attempt(2, value("8"));
    assert_eq!(s.status(), Status::Failed);
    s.retry_tasks(3);
    s.gives(
        &[
            "reopened, 3 commands, 0 outcomes, open [#0 r0 s1 a0, #1 r0 s1 a0, #2 r0 s1 a0]",
            "#1 value 7",
            "#2 value 8",
        ],
        &[
            "reopen instance",
            "drop run",
            "replay",
            "task #0 r0 s1 a0",
            "tell 8: done",
        ],
    );
    assert_eq!(s.run().open.len(), 1);
    s.attempt(0, value("6")).turn([end_ok()]);
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn other_failed_tasks_after_the_cut_are_started_anew_too() {
    let mut s = failed_beside_two();
    s.attempt(1, fails("bang", None));
    s.attempt(2, value("8"));
    s.retry_tasks(3);
    s.gives(
        &[
            "reopened, 3 commands, 0 outcomes, open [#0 r0 s1 a0, #1 r0 s1 a0, #2 r0 s1 a0]",
            "#2 value 8",
        ],
        &[
            "reopen instance",
            "drop run",
            "replay",
            "task #0 r0 s1 a0",
            "task #1 r0 s1 a0",
            "tell 8: done",
        ],
    );
}

#[test]
fn a_caught_failure_is_over() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails("caught", None)).turn([task("b")]);
    let id = s.command(1);
    s.attempt(1, fails("boom", None)).turn([end_failed_by(id)]);
    s.retry_tasks(2);
    s.gives(
        &["reopened, 2 commands, 1 outcomes, open [#1 r0 s1 a0]"],
        &[
            "reopen instance",
            "drop run",
            "replay",
            "task #1 r0 s1 a0",
            "tell 8: done",
        ],
    );
}

#[test]
fn without_a_failed_task_there_is_nothing_to_retry() {
    let refused = "tell 8: Refused: there is nothing to retry: no failed task led to its end; mend \
                   the code and use retry_turn";
    let mut failed = Scenario::with([task("a")]);
    failed.attempt(0, value("7")).turn([end_failed()]);
    let mut caught = Scenario::with([task("a")]);
    caught.attempt(0, fails("caught", None)).turn([task("b")]);
    let mut completed = Scenario::with([task("a")]);
    completed.attempt(0, fails("caught", None)).turn([end_ok()]);
    let mut late = Scenario::with([task("a"), end_failed()]);
    late.attempt(0, fails("boom", None));
    for mut s in [failed, caught, completed, late] {
        s.retry_tasks(1).gives(&[], &[refused]);
    }
}

#[test]
fn retry_turn_of_code_that_neither_stands_nor_failed_is_refused() {
    let refused = "tell 9: Refused: there is nothing to retry: its code does not stand still, and \
                   no run of it has failed";
    Scenario::with([task("a")])
        .retry_turn(1)
        .gives(&[], &[refused]);
    Scenario::with([end_ok()])
        .retry_turn(0)
        .gives(&[], &[refused]);
}

#[test]
fn retry_turn_reopens_a_failed_run_at_its_last_outcome() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, value("7")).turn([task("b")]);
    s.attempt(1, value("8")).turn([task("c"), end_failed()]);
    s.later(9).retry_turn(2);
    // What the failed turn asked for is taken back; its outcome is told again.
    s.gives(
        &[
            "reopened, 2 commands, 1 outcomes, open [#1 r0 s1 a0]",
            "#1 value 8",
        ],
        &["cancel #2 r0", "drop run", "replay", "tell 9: done"],
    );
    // The mended code asks for something else: it is another task, at the same place.
    s.turn([task("d")])
        .gives(&["call of task `Bank.d`"], &["task #2 r1 s0 a0"]);
}

#[test]
fn retry_turn_of_a_run_that_failed_at_once_runs_it_again() {
    let mut s = Scenario::with([end_failed()]);
    s.retry_turn(0).gives(
        &["reopened, 0 commands, 0 outcomes, open []"],
        &["reopen instance", "drop run", "replay", "tell 9: done"],
    );
    s.turn([end_ok()]);
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn retry_turn_tells_a_failed_task_again() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.retry_turn(1);
    s.gives(
        &[
            "reopened, 1 commands, 0 outcomes, open [#0 r0 s1 a0]",
            "#0 failed boom",
        ],
        &["reopen instance", "drop run", "replay", "tell 9: done"],
    );
}

#[test]
fn the_last_turn_is_not_that_of_an_outcome_after_the_end() {
    let mut s = Scenario::with([task("a"), task("b")]);
    s.attempt(0, value("7")).turn([end_failed()]);
    s.attempt(1, value("8"));
    s.retry_turn(2);
    s.gives(
        &[
            "reopened, 2 commands, 0 outcomes, open [#0 r0 s1 a0, #1 r0 s1 a0]",
            "#0 value 7",
            "#1 value 8",
        ],
        &["reopen instance", "drop run", "replay", "tell 9: done"],
    );
}

#[test]
fn steps_and_timers_that_the_end_dropped_go_on_after_the_replay() {
    let mut s = Scenario::with([task("a"), step("resize"), timer(50)]);
    let id = s.command(0);
    let late = s.attempt_ended(1, fails("cancelled", None));
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.gives(
        &["run ended failed no"],
        &[
            "cancel #1 r0",
            "drop Timer #2 r0 +50",
            "drop run",
            "end instance",
        ],
    );
    s.retry_tasks(3).gives(
        &["reopened, 3 commands, 0 outcomes, open [#0 r0 s1 a0, #1 r0 s1 a0, #2 r0 s1 a0]"],
        &[
            "reopen instance",
            "drop run",
            "replay",
            "task #0 r0 s1 a0",
            "step #1 r0 s1 a0",
            "arm Timer #2 r0 +50",
            "tell 8: done",
        ],
    );
    // The end of the attempt that was cancelled does not count for the new one.
    s.ignores(late);
}

#[test]
fn what_the_code_took_back_stays_taken_back() {
    let mut s = Scenario::with([task("a"), timer(50), task("b"), cancel(1)]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.retry_tasks(4).gives(
        &["reopened, 4 commands, 0 outcomes, open [#0 r0 s1 a0, #2 r0 s0 a0]"],
        &["drop run", "replay", "task #0 r0 s1 a0", "tell 8: done"],
    );
}

#[test]
fn clients_that_wait_after_a_reopening_are_told_the_new_end() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.retry_tasks(1);
    s.send(Message::ClientWaits {
        request: RequestId(1),
    });
    s.gives(&[], &[]);
    s.attempt(0, value("7")).turn([end_ok()]);
    s.gives(
        &["run ended ok 1"],
        &["drop run", "tell 1: ended ok 1", "end instance"],
    );
}
