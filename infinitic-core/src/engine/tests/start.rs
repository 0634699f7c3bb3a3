//! Starts, repeated, late, and messages to what was never started.

use super::unavailable::every_message;
use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

#[test]
fn a_start_begins_the_first_run() {
    let mut s = Scenario::nothing();
    s.later(3).send(start(Some(1), Some(2)));
    s.gives(
        &["started Orders", "run 0 of start started"],
        &["tell 1: started", "first turn"],
    );
    let instance = s.instance();
    assert_eq!(instance.status(), Status::Running);
    assert_eq!((instance.version, instance.started_at), (2, s.now));
    assert_eq!(instance.tags, ["tag"]);
    assert_eq!(instance.meta, [("key".to_owned(), "value".to_owned())]);
    assert_eq!(instance.waiting, [RequestId(2)]);
}

#[test]
fn a_repeated_start_is_told_that_the_instance_exists() {
    let mut s = Scenario::with([task("a")]);
    s.send(start(Some(3), None))
        .gives(&[], &["tell 3: was started"]);
    s.send(start(Some(3), Some(4)))
        .gives(&[], &["tell 3: was started"]);
    s.send(start(None, Some(4))).gives(&[], &[]);
    assert_eq!(s.instance().waiting, [RequestId(4)]);
}

#[test]
fn a_repeated_start_of_an_ended_instance_gives_its_result() {
    let mut s = Scenario::with([end_ok()]);
    s.later(2 * DAY_MS).send(start(Some(3), Some(4)));
    s.gives(&[], &["tell 3: was started", "tell 4: ended ok 1"]);
}

#[test]
fn a_start_of_exactly_a_day_ago_runs() {
    let mut s = Scenario::nothing();
    s.later(DAY_MS).send(start(Some(1), None));
    assert_eq!(s.entries.len(), 2);
}

#[test]
fn an_older_start_without_a_record_is_refused_to_all_who_wait() {
    let mut s = Scenario::nothing();
    s.later(DAY_MS + 1).send(start(Some(1), Some(2)));
    let refused = format!(
        "Refused: the start of {} is older than 24 hours and has no record: it may have run and \
         been purged; start a new instance instead",
        s.id
    );
    let (first, second) = (format!("tell 1: {refused}"), format!("tell 2: {refused}"));
    s.gives(&[], &[&first, &second]);
    assert!(s.instance.is_none());
    s.send(start(None, None)).gives(&[], &[]);
}

#[test]
fn a_start_from_a_clock_that_is_ahead_runs() {
    let mut s = Scenario::nothing();
    s.id = InstanceId::new(T0 + Duration::from_hours(1), 42, 7);
    s.send(start(Some(1), None));
    assert_eq!(s.entries.len(), 2);
}

#[test]
fn an_unknown_instance_is_told_to_whoever_asks() {
    let mut s = Scenario::nothing();
    let unknown = format!(
        "UnknownInstance: there is no instance {}, or its record was purged after the retention \
         time",
        s.id
    );
    for (message, request) in every_message(s.id) {
        if matches!(message, Message::Start { .. }) {
            continue;
        }
        s.send(message.clone());
        assert!(s.instance.is_none(), "{message:?}");
        let told: Vec<String> = s.effects.iter().map(words::effect).collect();
        let expected: Vec<String> = request
            .map(|request| format!("tell {}: {unknown}", request.0))
            .into_iter()
            .collect();
        assert_eq!(told, expected, "{message:?}");
    }
}
