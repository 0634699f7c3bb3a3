//! Cancel of an instance: running, stopped, held by its tasks, ended.

use super::*;

fn cancel_all() -> Message {
    Message::Cancel {
        run: None,
        request: Some(RequestId(4)),
    }
}

#[test]
fn cancel_takes_everything_back_and_tells_who_waits() {
    let mut s = Scenario::nothing();
    s.send(start(None, Some(2)));
    s.turn([task_within("a", 90), step("resize"), timer(50), task("b")]);
    s.attempt(3, fails("boom", Some(20)));
    let late = s.attempt_ended(0, value("7"));
    s.send(cancel_all());
    s.gives(
        &[
            "cancel requested",
            "run ended failed the instance was cancelled",
        ],
        &[
            "drop Deadline #0 r0 +90",
            "cancel #0 r0",
            "cancel #1 r0",
            "drop Timer #2 r0 +50",
            "drop Backoff #3 r0 +20",
            "cancel #3 r0",
            "drop run",
            "tell 2: ended failed the instance was cancelled",
            "tell 4: done",
            "end instance",
        ],
    );
    assert_eq!(s.status(), Status::Cancelled);
    let Some(Err(failure)) = &s.run().result else {
        panic!("{:?}", s.run());
    };
    assert_eq!(failure.kind, FailureKind::Cancelled);
    s.ignores(late);
}

#[test]
fn cancel_of_the_first_run_is_cancel_of_the_instance() {
    let mut s = Scenario::with([task("a")]);
    s.send(Message::Cancel {
        run: Some(RUN),
        request: None,
    });
    assert_eq!(s.status(), Status::Cancelled);
}

#[test]
fn cancel_is_done_once() {
    let mut s = Scenario::with([task("a")]);
    s.send(cancel_all()).send(cancel_all());
    s.gives(&[], &["tell 4: done"]);
    assert_eq!(s.status(), Status::Cancelled);
}

#[test]
fn cancel_of_what_has_ended_changes_nothing() {
    let mut s = Scenario::with([end_ok()]);
    s.send(cancel_all()).gives(&[], &["tell 4: done"]);
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn cancel_of_a_stopped_instance_ends_it() {
    let mut s = Scenario::with([task("a")]);
    s.send(stopped("panic")).send(cancel_all());
    assert_eq!(s.status(), Status::Cancelled);
    assert_eq!(s.instance().stopped, None);
}

#[test]
fn cancel_takes_back_the_tasks_that_outlive_their_run() {
    let mut s = Scenario::with([task("a"), end_ok()]);
    s.send(cancel_all());
    s.gives(
        &["cancel requested"],
        &["cancel #0 r0", "tell 4: done", "end instance"],
    );
    // What callers were told stays.
    assert_eq!(s.status(), Status::Completed);
}

#[test]
fn a_turn_that_ends_after_the_cancel_is_ignored() {
    let mut s = Scenario::with([task("a")]);
    s.send(cancel_all());
    s.ignores(turn_ended([task("b")]))
        .ignores(turn_ended([end_ok()]));
}

#[test]
fn a_cancelled_instance_is_not_reopened() {
    let mut s = Scenario::with([task("a")]);
    let id = s.command(0);
    s.attempt(0, fails("boom", None)).turn([task("b")]);
    s.send(cancel_all());
    s.retry_tasks(1);
    s.gives(
        &[],
        &["tell 8: Refused: there is nothing to retry: it was cancelled"],
    );
    s.retry_turn(1);
    s.gives(
        &[],
        &["tell 9: Refused: there is nothing to retry: it was cancelled"],
    );
    // Nor one that had failed, and was cancelled while a task held it open.
    let mut s = Scenario::with([task("a"), task("b")]);
    s.attempt(0, fails("boom", None)).turn([end_failed_by(id)]);
    s.send(cancel_all()).retry_tasks(2);
    s.gives(
        &[],
        &["tell 8: Refused: there is nothing to retry: it was cancelled"],
    );
}
