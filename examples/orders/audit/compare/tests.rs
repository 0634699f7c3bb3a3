//! The audit must find what is wrong, and nothing else.

use infinitic::prelude::*;

use super::*;

const ID: &str = "018bcfe5-6800-7000-8000-00000000002a";

/// A story: what was noted, written and stored of one order that should be shipped.
struct Story {
    noted: Noted,
    ledger: Found,
    stored: Stored,
    made: Made,
}

fn order() -> Order {
    let json = r#"{"id":"A","customer":"c","item":"i","quantity":1,"cents":5,"card":"4"}"#;
    serde_json::from_str(json).unwrap()
}

/// `begin`, `end`, or `step task attempt did`, one a line.
fn ledger(text: &str) -> Found {
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let json = match words[..] {
            [session] => format!(r#"{{"session":"{session}"}}"#),
            [step, task, attempt, did] => format!(
                r#"{{"task":"{ID}.0.0.{task}","order":"A","step":"{step}",
                    "attempt":{attempt},"did":"{did}"}}"#
            ),
            _ => panic!("{line}"),
        };
        serde_json::from_str(&json).unwrap()
    };
    Found {
        lines: text.lines().map(line).collect(),
        torn: Vec::new(),
    }
}

const SHIPPED: &str = "begin\nreserve 0 0 done\ncharge 1 0 done\nship 3 0 done\nend";

fn story(text: &str) -> Story {
    Story {
        noted: Noted {
            instance: ID.parse().unwrap(),
            digest: 0,
            started: true,
            outcome: Some(Outcome::Shipped),
        },
        ledger: ledger(text),
        stored: Stored::Ended(Outcome::Shipped),
        made: Made::Once,
    }
}

impl Story {
    fn audit(self) -> Report {
        let id = order().id;
        let notes = Notes::from([(id.clone(), self.noted)]);
        let stored = BTreeMap::from([(id, self.stored)]);
        compare(&[order()], &notes, &[self.ledger], &stored, self.made)
    }
}

/// Asserts that the audit of a ledger finds something with these words.
fn finds(ledger: &str, words: &str) {
    let report = story(ledger).audit().to_string();
    assert!(report.contains(words), "{words} is not in\n{report}");
    assert!(report.contains("NOT clean"), "{report}");
}

#[test]
fn a_plain_order_is_clean() {
    let report = story(SHIPPED).audit();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.ended["shipped"], 1);
    assert_eq!((report.sessions, report.killed), (1, 0));
}

#[test]
fn busy_attempts_are_retries() {
    let text = "begin\nreserve 0 0 done\ncharge 1 0 busy\ncharge 1 1 done\nship 3 0 done\nend";
    let report = story(text).audit();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.retries, 1);
}

#[test]
fn an_attempt_may_be_repeated_after_a_kill_only() {
    let killed = SHIPPED.replace("charge 1 0 done", "charge 1 0 done\nbegin\ncharge 1 0 done");
    let report = story(&killed).audit();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.cut, report.killed), (1, 1));
    finds(
        &killed.replace("begin\ncharge", "end\nbegin\ncharge"),
        "had ended in good order",
    );
    finds(
        &killed.replace("begin\ncharge", "charge"),
        "twice in session 1",
    );
}

#[test]
fn a_cluster_may_make_an_attempt_again() {
    let again = SHIPPED.replace("end", "charge 1 0 done\ncharge 1 1 done\nend");
    let report = Story {
        made: Made::AtLeastOnce,
        ..story(&again)
    };
    let report = report.audit();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.cut, report.retries), (1, 1));
    let other_task = Story {
        made: Made::AtLeastOnce,
        ..story(&SHIPPED.replace("end", "charge 2 0 done\nend"))
    };
    assert!(!other_task.audit().is_clean());
}

#[test]
fn ledgers_are_read_side_by_side() {
    let mut first = story("begin\nreserve 0 0 done\nend\nbegin\ncharge 1 0 done");
    let second = ledger("begin\nship 3 0 done\nend");
    let id = order().id;
    let notes = Notes::from([(id.clone(), first.noted)]);
    let stored = BTreeMap::from([(id, first.stored)]);
    first.ledger.torn.push(9);
    let ledgers = [first.ledger, second];
    let report = compare(&[order()], &notes, &ledgers, &stored, Made::AtLeastOnce);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.sessions, report.killed), (3, 1));
    assert_eq!(report.remarks.len(), 1);
}

#[test]
fn each_step_has_one_task_of_the_one_start() {
    finds(
        &SHIPPED.replace("end", "charge 2 0 done\nend"),
        "Charge has 2 tasks",
    );
    let mut other = story(SHIPPED);
    other.noted.instance = InstanceId::new(Timestamp::from_millis(1), 1, 1);
    assert_eq!(other.audit().doubled.len(), 3);
}

#[test]
fn an_attempt_follows_a_failed_one() {
    finds(
        &SHIPPED.replace("end", "charge 1 1 done\nend"),
        "follows one that did not fail",
    );
    finds(
        &SHIPPED.replace("ship 3 0", "ship 3 1"),
        "follows one that did not fail",
    );
}

#[test]
fn the_ledger_has_the_steps_of_the_outcome() {
    finds(&SHIPPED.replace("ship 3 0 done\n", ""), "has no Ship");
    finds(
        &SHIPPED.replace("end", "release 4 0 done\nend"),
        "has a Release",
    );
}

#[test]
fn what_was_acknowledged_must_be_stored() {
    let with = |stored| Story {
        stored,
        ..story(SHIPPED)
    };
    assert_eq!(with(Stored::Unknown).audit().lost.len(), 1);
    assert_eq!(with(Stored::Open).audit().lost.len(), 1);
    let declined = with(Stored::Ended(Outcome::Declined)).audit();
    assert!(!declined.is_clean());
    let mut unknown = story("begin");
    unknown.stored = Stored::Unknown;
    unknown.noted.started = false;
    unknown.noted.outcome = None;
    let report = unknown.audit();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.not_started, 1);
}

#[test]
fn what_nobody_started_is_found() {
    let report = compare(
        &[],
        &Notes::new(),
        &[ledger("begin\nship 0 0 done")],
        &BTreeMap::new(),
        Made::Once,
    );
    assert_eq!(report.doubled.len(), 1);
}
