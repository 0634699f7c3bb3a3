//! Attempts of tasks and steps: how they end, and which ends change nothing.

use super::*;

#[test]
fn a_value_is_delivered_and_ends_the_deadline() {
    let mut s = Scenario::with([task_within("a", 500)]);
    s.later(20).attempt(0, value("7"));
    s.gives(
        &["#0 value 7"],
        &["drop Deadline #0 r0 +500", "turn with #0 value 7"],
    );
    assert!(s.run().open.is_empty());
    assert_eq!(s.run().outcomes, 1);
}

#[test]
fn a_failure_without_retry_is_delivered() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails("boom", None));
    s.gives(&["#0 failed boom"], &["turn with #0 failed boom"]);
}

#[test]
fn a_failure_with_retry_is_tried_again_after_its_pause() {
    let mut s = Scenario::with([task_within("a", 500)]);
    s.later(10).attempt(0, fails("boom", Some(100)));
    s.gives(
        &["#0 a0 failed boom, again +110"],
        &["arm Backoff #0 r0 +110"],
    );
    assert_eq!(s.status(), Status::Running);
    s.later(100).rings(TimerKind::Backoff, 0);
    s.gives(&[], &["task #0 r0 s0 a1"]);
    let Effect::DispatchTask(attempt) = &s.effects[0] else {
        panic!("{:?}", s.effects);
    };
    assert_eq!(
        attempt.last_failure,
        Some(failure(FailureKind::Failed, "boom"))
    );
    assert_eq!(attempt.previous, ["boom"]);
    assert_eq!(attempt.workflow.as_str(), "Orders");
    s.attempt(0, value("7"));
    s.gives(
        &["#0 value 7"],
        &["drop Deadline #0 r0 +500", "turn with #0 value 7"],
    );
}

#[test]
fn the_last_failure_tells_of_the_earlier_ones() {
    let mut s = Scenario::with([task("a")]);
    for number in 0..12 {
        s.attempt(0, fails(&number.to_string(), Some(0)));
        s.rings(TimerKind::Backoff, 0);
    }
    s.attempt(0, fails("last", None));
    let Entry::Delivered {
        outcome: Outcome::Failed(failure),
        ..
    } = &s.entries[0]
    else {
        panic!("{:?}", s.entries);
    };
    let expected: Vec<String> = (2..12).map(|number| number.to_string()).collect();
    assert_eq!(failure.previous, expected, "the last ten");
}

#[test]
fn a_step_is_tried_again_too() {
    let mut s = Scenario::with([step("resize")]);
    s.attempt(0, fails("boom", Some(100)));
    s.gives(
        &["#0 a0 failed boom, again +100"],
        &["arm Backoff #0 r0 +100"],
    );
    s.later(100).rings(TimerKind::Backoff, 0);
    s.gives(&[], &["step #0 r0 s0 a1"]);
    s.attempt(0, value("7"));
    s.gives(&["#0 value 7"], &["turn with #0 value 7"]);
}

#[test]
fn an_end_that_is_told_twice_counts_once() {
    let mut s = Scenario::with([task("a"), task("b")]);
    let ended = s.attempt_ended(0, value("7"));
    s.send(ended.clone()).turn([]);
    s.ignores(ended);
    let failed = s.attempt_ended(1, fails("boom", Some(100)));
    s.send(failed.clone());
    s.ignores(failed);
}

#[test]
fn an_old_attempt_changes_nothing() {
    let mut s = Scenario::with([task("a")]);
    let late = s.attempt_ended(0, value("7"));
    s.attempt(0, fails("boom", Some(0)));
    s.rings(TimerKind::Backoff, 0);
    s.ignores(late);
}

#[test]
fn an_attempt_of_the_future_changes_nothing() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.ignores(Message::AttemptEnded {
        id,
        sequence: Sequence(0),
        attempt: Attempt(1),
        result: value("7"),
    });
}

#[test]
fn an_old_sequence_changes_nothing() {
    let mut s = Scenario::with([task("a")]);
    let late = s.attempt_ended(0, value("7"));
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.retry_tasks(1);
    s.ignores(late);
    s.attempt(0, value("8"));
    s.gives(&["#0 value 8"], &["turn with #0 value 8"]);
}

#[test]
fn an_old_reopening_changes_nothing() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, value("7")).turn([task("b")]);
    let late = s.attempt_ended(1, value("8"));
    s.turn([end_failed()]).retry_turn(1);
    // The mended code asks for something else at the same place.
    s.turn([task("c")])
        .gives(&["call of task `Bank.c`"], &["task #1 r1 s0 a0"]);
    s.ignores(late);
}

#[test]
fn what_was_never_asked_cannot_end() {
    let mut s = Scenario::with([task("a"), timer(50)]);
    let known = s.command(0);
    for (run, position) in [(0, 1), (0, 2), (1, 0)] {
        let id = CommandId {
            run: RunNo(run),
            position: Position(position),
            ..known
        };
        s.ignores(Message::AttemptEnded {
            id,
            sequence: Sequence(0),
            attempt: Attempt(0),
            result: value("7"),
        });
    }
}

#[test]
fn a_task_that_outlives_its_run_ends_without_a_turn() {
    let mut s = Scenario::with([task("a"), end_ok()]);
    s.attempt(0, value("7"));
    s.gives(&["#0 value 7"], &["end instance"]);
}

#[test]
fn outcomes_wait_while_the_code_stands_still() {
    let mut s = Scenario::with([task("a"), task("b")]);
    s.send(stopped("panic"));
    s.attempt(0, value("7")).gives(&["#0 value 7"], &[]);
    s.attempt(1, fails("boom", Some(5))).later(5);
    s.rings(TimerKind::Backoff, 1)
        .gives(&[], &["task #1 r0 s0 a1"]);
}

/// What the attempt that was just given out is told.
#[track_caller]
fn meta_given(s: &Scenario) -> Vec<(String, String)> {
    match s.effects.last() {
        Some(Effect::DispatchTask(task)) => task.options.meta.clone(),
        Some(Effect::RunStep(step)) => step.meta.clone(),
        other => panic!("no attempt: {other:?}"),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

#[test]
fn a_failed_attempt_leaves_its_meta_to_the_next() {
    for command in [task("a"), step("resize")] {
        let mut s = Scenario::with([command, task("b")]);
        s.attempt(0, fails_leaving(20, &[("page", "7")]));
        s.gives(
            &[
                "#0 a0 failed boom, again +20",
                "#0 meta [(\"page\", \"7\")]",
            ],
            &["arm Backoff #0 r0 +20"],
        );
        s.later(20).rings(TimerKind::Backoff, 0);
        assert_eq!(meta_given(&s), pairs(&[("page", "7")]));
        // It stays, until an attempt changes it.
        s.attempt(0, fails("boom", Some(20)));
        s.later(20).rings(TimerKind::Backoff, 0);
        assert_eq!(meta_given(&s), pairs(&[("page", "7")]));
        s.attempt(0, fails_leaving(20, &[]));
        s.later(20).rings(TimerKind::Backoff, 0);
        assert_eq!(meta_given(&s), pairs(&[]));
        s.attempt(1, fails("boom", Some(20)));
        s.later(20).rings(TimerKind::Backoff, 1);
        assert_eq!(meta_given(&s), pairs(&[]));
    }
}

#[test]
fn a_retry_by_hand_begins_with_the_callers_meta() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails_leaving(0, &[("page", "7")]));
    s.attempt(0, fails("no", None)).turn([end_failed()]);
    s.retry_tasks(1);
    let given = s.effects.iter().find_map(|effect| match effect {
        Effect::DispatchTask(task) => Some(task.options.meta.clone()),
        _ => None,
    });
    assert_eq!(given, Some(Vec::new()));
}
