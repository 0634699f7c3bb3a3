//! Where a reopened history is cut, when the code has changed and asks for something else.

use super::*;

/// Asked a, told 1, asked b, told 2, asked c, told 3; failed.
fn three_in_a_row() -> Scenario {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, value("1")).turn([task("b")]);
    s.attempt(1, value("2")).turn([task("c")]);
    s.attempt(2, value("3")).turn([end_failed()]);
    s
}

fn positions(cut: &Cut) -> (Vec<u32>, Vec<u32>) {
    (
        cut.open.iter().map(|kept| kept.position.0).collect(),
        cut.redeliver
            .iter()
            .map(|(position, _)| position.0)
            .collect(),
    )
}

#[test]
fn the_same_code_keeps_all_but_the_last_outcome() {
    let history = three_in_a_row().history();
    let cut = plan_retry_turn(RUN, &history).unwrap().cut(&history, 3);
    assert_eq!((cut.commands_kept, cut.outcomes_kept), (3, 2));
    assert_eq!(positions(&cut), (vec![2], vec![2]));
}

#[test]
fn an_outcome_goes_with_its_command() {
    let history = three_in_a_row().history();
    let plan = plan_retry_turn(RUN, &history).unwrap();
    // The code changed after the first outcome, or before any.
    for commands_kept in [1, 0] {
        let cut = plan.cut(&history, commands_kept);
        assert_eq!(
            (cut.commands_kept, cut.outcomes_kept),
            (commands_kept, commands_kept)
        );
        assert_eq!(positions(&cut), (vec![], vec![]));
    }
}

#[test]
fn a_new_command_never_gets_the_outcome_of_the_old_one() {
    let mut s = three_in_a_row();
    s.retry_turn(1).gives(
        &["reopened, 1 commands, 1 outcomes, open []"],
        &["reopen instance", "drop run", "replay", "tell 9: done"],
    );
    s.turn([task("new")]);
    s.gives(&["call of task `Bank.new`"], &["task #1 r1 s0 a0"]);
    let history = s.history();
    assert_eq!(history.commands.len(), 2);
    assert_eq!(history.outcomes.len(), 1);
    assert_eq!(history.commands[1], (Reopening(1), task("new")));
}

#[test]
fn outcomes_behind_a_voided_one_are_told_again() {
    // b, asked last, ends first; then a. The code changed so that b is no more.
    let mut s = Scenario::with([task("a"), task("b"), task("c")]);
    s.attempt(1, value("2")).turn([]);
    s.attempt(0, value("1")).turn([]);
    s.attempt(2, value("3")).turn([end_failed()]);
    let history = s.history();
    let cut = plan_retry_turn(RUN, &history).unwrap().cut(&history, 1);
    assert_eq!((cut.commands_kept, cut.outcomes_kept), (1, 0));
    assert_eq!(positions(&cut), (vec![0], vec![0]));
}

#[test]
fn a_step_counts_as_the_culprit_too() {
    let mut s = Scenario::with([task("a")]);
    s.attempt(0, fails("caught", None)).turn([step("resize")]);
    let mut failed = failure(FailureKind::Failed, "no");
    failed.origin = Some(Origin::Step {
        id: s.command(1),
        name: "resize".to_owned(),
        attempts: 1,
    });
    s.attempt(1, fails("boom", None));
    s.turn([
        task("b"),
        Command::End {
            result: Err(failed),
        },
    ]);
    s.attempt(2, fails("bang", None));
    let history = s.history();
    let plan = plan_retry_tasks(RUN, &history).unwrap();
    assert_eq!(plan.outcomes_kept, 1);
}

#[test]
fn without_a_known_culprit_the_last_failure_is_taken() {
    let mut s = Scenario::with([task("a"), timer(5), task("b")]);
    s.attempt(0, fails("one", None)).turn([]);
    s.attempt(2, fails("two", None)).turn([]);
    s.later(5).rings(TimerKind::Timer, 1).turn([end_failed()]);
    let history = s.history();
    let plan = plan_retry_tasks(RUN, &history).unwrap();
    assert_eq!(plan.outcomes_kept, 1);
    let cut = plan.cut(&history, 3);
    assert_eq!(positions(&cut), (vec![1, 2], vec![1]));
}

#[test]
fn a_history_that_has_not_failed_has_no_turn_to_retry() {
    let open = Scenario::with([task("a")]).history();
    assert_eq!(plan_retry_turn(RUN, &open), None);
    let completed = Scenario::with([end_ok()]).history();
    assert_eq!(plan_retry_turn(RUN, &completed), None);
}

#[test]
fn a_cut_of_a_history_longer_than_the_code_asks_is_within_it() {
    let history = three_in_a_row().history();
    let cut = plan_retry_turn(RUN, &history).unwrap().cut(&history, 9);
    assert_eq!(positions(&cut), (vec![2], vec![2]));
}
