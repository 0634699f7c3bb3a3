//! A turn that cannot go on, under a retry policy: tried again after a pause, so often and no more.

use super::*;

fn ring() -> Message {
    let timer = TimerKey::of_turn(Scenario::nothing().id);
    Message::TimerDue { timer }
}

fn recovered(cautious: bool) -> Message {
    Message::Recovered { cautious }
}

#[test]
fn a_failed_turn_is_tried_again_after_its_pause() {
    let mut s = Scenario::with([task("a"), step("resize")]);
    s.attempt(0, value("7"))
        .later(5)
        .send(fails_turn("panic", 50));
    s.gives(
        &["stopped: panic", "turn a0 failed, again +55"],
        &["arm TurnRetry #0 r0 +55"],
    );
    assert_eq!(s.status(), Status::Stopped);
    s.later(49).send(ring());
    s.gives(&[], &["arm TurnRetry #0 r0 +55"]);
    s.later(1).send(ring());
    // A step of its run needs the new live future.
    s.gives(&["turn tried again"], &["replay", "step #1 r0 s0 a0"]);
    assert_eq!(s.status(), Status::Running);
    s.ignores(ring());
    s.turn([end_ok()]);
    assert_eq!(s.instance().turn_retry, None);
}

#[test]
fn tries_are_counted_and_remembered() {
    let mut s = Scenario::with([task("a")]);
    s.send(fails_turn("first", 10)).later(10).send(ring());
    s.send(fails_turn("second", 20));
    s.gives(
        &["stopped: second", "turn a1 failed, again +30"],
        &["arm TurnRetry #0 r0 +30"],
    );
    s.later(20).send(ring());
    // The policy has no further try to give.
    s.send(stopped("third")).gives(&["stopped: third"], &[]);
    let explanation = s.instance().stopped.clone().unwrap();
    assert_eq!(explanation.previous, ["first", "second"]);
    s.ignores(ring());
    assert_eq!(s.status(), Status::Stopped);
}

#[test]
fn a_turn_that_went_well_begins_a_new_count() {
    for well in [turn_ended([task("b")]), turn_ended([])] {
        let mut s = Scenario::with([task("a"), task("c")]);
        s.send(fails_turn("first", 10)).later(10).send(ring());
        s.send(well).attempt(0, value("7"));
        s.send(fails_turn("other", 10));
        let retry = s.instance().turn_retry.clone().unwrap();
        assert_eq!(
            (retry.attempt, &retry.previous[..]),
            (Attempt(1), &["other".to_owned()][..])
        );
    }
}

#[test]
fn outcomes_that_come_during_the_pause_do_not_end_it() {
    let mut s = Scenario::with([task("a")]);
    s.send(fails_turn("panic", 10)).attempt(0, value("7"));
    s.gives(&["#0 value 7"], &[]);
    assert_eq!(
        s.instance().turn_retry_due(),
        Some(T0 + Duration::from_millis(10))
    );
    s.later(10)
        .send(ring())
        .gives(&["turn tried again"], &["replay"]);
}

#[test]
fn a_try_by_hand_ends_the_pause_and_the_count() {
    let mut s = Scenario::with([task("a")]);
    s.send(fails_turn("panic", 10)).retry_turn(1);
    s.gives(
        &["turn retried"],
        &["drop TurnRetry #0 r0 +10", "replay", "tell 9: done"],
    );
    s.later(10).ignores(ring());
    s.send(fails_turn("panic", 10));
    assert_eq!(s.instance().turn_retry.clone().unwrap().attempt, Attempt(1));
}

#[test]
fn cancel_ends_the_pause() {
    let mut s = Scenario::with([timer(50)]);
    s.send(fails_turn("panic", 10));
    s.send(Message::Cancel {
        run: None,
        request: None,
    });
    s.gives(
        &[
            "cancel requested",
            "run ended failed the instance was cancelled",
        ],
        &[
            "drop TurnRetry #0 r0 +10",
            "drop Timer #0 r0 +50",
            "drop run",
            "end instance",
        ],
    );
    s.later(10).ignores(ring());
}

#[test]
fn the_pause_survives_a_start_of_the_process() {
    for cautious in [false, true] {
        let mut s = Scenario::with([timer(50)]);
        s.send(fails_turn("panic", 10))
            .later(4)
            .send(recovered(cautious));
        s.gives(&[], &["arm TurnRetry #0 r0 +10", "arm Timer #0 r0 +50"]);
    }
}

#[test]
fn a_stop_without_another_try_voids_the_pause() {
    let mut s = Scenario::with([timer(50)]);
    s.send(fails_turn("panic", 10))
        .send(stopped("it never ends"));
    s.gives(&["stopped: it never ends"], &["drop TurnRetry #0 r0 +10"]);
    s.later(10).ignores(ring());
}

#[test]
fn a_turn_that_kills_the_process_is_not_tried_for_ever() {
    let mut s = Scenario::with([timer(50)]);
    s.send(fails_turn("panic", 10));
    for _ in 0..2 {
        let entry = Entry::TurnMarked {
            run: RUN,
            done: false,
        };
        s.instance.as_mut().unwrap().evolve(&entry);
        s.log.push(entry);
    }
    s.send(recovered(true));
    assert_eq!(s.instance().turn_retry_due(), None);
    assert_eq!(s.status(), Status::Stopped);
    s.later(10).ignores(ring());
}

#[test]
fn the_state_tells_of_the_next_try() {
    let mut s = Scenario::with([timer(50)]);
    s.send(fails_turn("panic", 10)).send(Message::Inspect {
        request: RequestId(4),
    });
    s.gives(
        &[],
        &[
            "tell 4: Stopped [\"its turn again, attempt 1 at 1970-01-01T00:16:40.010Z\", \
           \"timer at 1970-01-01T00:16:40.050Z\"]",
        ],
    );
}

#[test]
fn failed_turns_of_ended_runs_change_nothing() {
    let mut s = Scenario::with([task("a"), end_ok()]);
    s.ignores(fails_turn("panic", 10)).ignores(ring());
}
