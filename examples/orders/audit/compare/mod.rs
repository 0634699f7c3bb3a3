//! What follows from input, notebook, ledger and store.
//!
//! **Invariant:** each step of an order has one task, and each attempt of it one line; more than
//! one only if a kill came between the line and its record. An attempt after the first one follows
//! a busy bank. An order that ended has the steps of its outcome, and no others.
//!
//! A cluster gives an attempt out again when it cannot know whether it was made: its worker was
//! killed or hung, the broker died. So there an attempt may have more lines, and may follow one
//! that took too long.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, Stored};
use crate::ledger::{Did, Entry, Found, Line, Session, Step};
use crate::notebook::{Noted, Notes};
use crate::order::{Order, OrderId, Outcome};

/// A line of the ledger and the number of the session that wrote it.
type Written<'a> = (usize, &'a Entry);

/// How often an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Once, unless its process is killed.
    Once,
    /// At least once.
    AtLeastOnce,
}

/// Compares all that is known.
pub(super) fn compare(
    orders: &[Order],
    notes: &Notes,
    ledgers: &[Found],
    stored: &BTreeMap<OrderId, Stored>,
    made: Made,
) -> Report {
    let mut report = Report {
        input: orders.len(),
        ..Report::default()
    };
    let (killed, by_order) = sort(ledgers, &mut report);
    let input: BTreeMap<&OrderId, &Order> = orders.iter().map(|o| (&o.id, o)).collect();
    report.not_started = input.keys().filter(|id| !notes.contains_key(id)).count();
    for (id, noted) in notes {
        let mut audit = Audit {
            id,
            noted,
            expected: input.get(id).map(|order| order.expected()),
            written: by_order.get(id).map_or(&[], Vec::as_slice),
            killed: &killed,
            made,
            report: &mut report,
        };
        audit.against(stored.get(id).unwrap_or(&Stored::Unknown));
        audit.attempts();
    }
    for id in by_order.keys().filter(|id| !notes.contains_key(id)) {
        let text = format!("order {id}: services worked for it, but nobody started it");
        report.doubled.push(text);
    }
    report
}

/// Which sessions were killed, and the lines of each order.
fn sort<'a>(
    ledgers: &'a [Found],
    report: &mut Report,
) -> (Vec<bool>, BTreeMap<&'a OrderId, Vec<Written<'a>>>) {
    let mut killed = Vec::new();
    let mut by_order: BTreeMap<&OrderId, Vec<Written<'_>>> = BTreeMap::new();
    for ledger in ledgers {
        // What stands before the first session is of one that left no mark, as if it was killed.
        killed.push(true);
        for line in &ledger.lines {
            let last = killed.len() - 1;
            match line {
                Line::Session {
                    session: Session::Begin,
                } => {
                    killed.push(true);
                    report.sessions += 1;
                    report.killed += 1;
                }
                Line::Session {
                    session: Session::End,
                } => {
                    report.killed -= usize::from(killed[last]);
                    killed[last] = false;
                }
                Line::Entry(entry) => {
                    report.ledger_lines += 1;
                    by_order
                        .entry(&entry.order)
                        .or_default()
                        .push((last, entry));
                }
            }
        }
        for line in &ledger.torn {
            let remark = format!("line {line} of a ledger is torn");
            report.remarks.push(remark);
        }
    }
    (killed, by_order)
}

/// The audit of one order.
struct Audit<'a> {
    id: &'a OrderId,
    noted: &'a Noted,
    expected: Option<Outcome>,
    written: &'a [Written<'a>],
    killed: &'a [bool],
    made: Made,
    report: &'a mut Report,
}

impl Audit<'_> {
    fn lost(&mut self, text: &str) {
        self.report.lost.push(format!("order {}: {text}", self.id));
    }

    fn doubled(&mut self, text: &str) {
        let text = format!("order {}: {text}", self.id);
        self.report.doubled.push(text);
    }

    /// What the notebook and the ledger say, against what the store says.
    fn against(&mut self, stored: &Stored) {
        self.report.elsewhere += usize::from(self.expected.is_none());
        let told = self.noted.outcome.clone();
        match stored {
            Stored::Unknown if self.noted.started || told.is_some() => {
                self.lost("its start was acknowledged, and the store does not know it");
            }
            Stored::Unknown if !self.written.is_empty() => {
                self.lost("services worked for it, and the store does not know it");
            }
            // Killed between the notebook and the start.
            Stored::Unknown => self.report.not_started += 1,
            Stored::Open | Stored::Stopped(_) => {
                self.report.open += 1;
                if let Stored::Stopped(why) = stored {
                    let remark = format!("order {} stands still: {why}", self.id);
                    self.report.remarks.push(remark);
                }
                if let Some(told) = told {
                    self.lost(&format!("it had ended ({}), and is open", told.name()));
                }
            }
            Stored::Ended(outcome) => {
                *self.report.ended.entry(outcome.name()).or_default() += 1;
                self.ended(outcome, told);
            }
        }
    }

    fn ended(&mut self, outcome: &Outcome, told: Option<Outcome>) {
        if let Some(told) = told.filter(|told| told != outcome) {
            self.lost(&format!(
                "it had ended as {}, and is stored as {}",
                told.name(),
                outcome.name()
            ));
        }
        if let Some(expected) = self.expected.take().filter(|e| e != outcome) {
            let why = match outcome {
                Outcome::Failed(why) => why.as_str(),
                _ => "",
            };
            self.lost(&format!(
                "it should have ended as {}, and ended as {} {why}",
                expected.name(),
                outcome.name()
            ));
        }
        let Some(wanted) = steps_of(outcome) else {
            return;
        };
        for (step, did) in wanted {
            let there = |(_, entry): &Written<'_>| entry.step == *step && entry.did == *did;
            if !self.written.iter().any(there) {
                self.lost(&format!(
                    "it ended as {}, and the ledger has no {step:?} that is {did:?}",
                    outcome.name()
                ));
            }
        }
        let written = self.written;
        for (_, entry) in written {
            let wanted = wanted.contains(&(entry.step, entry.did));
            if !wanted && entry.did != Did::Busy {
                self.doubled(&format!(
                    "it ended as {}, and the ledger has a {:?} that is {:?}",
                    outcome.name(),
                    entry.step,
                    entry.did
                ));
            }
        }
    }

    /// One task for each step, one line for each attempt.
    fn attempts(&mut self) {
        let mut tasks: BTreeMap<Step, BTreeSet<&str>> = BTreeMap::new();
        let mut attempts: BTreeMap<(&str, u32), Vec<Written<'_>>> = BTreeMap::new();
        let written = self.written;
        for (session, entry) in written {
            tasks.entry(entry.step).or_default().insert(&entry.task);
            let key = (entry.task.as_str(), entry.attempt);
            attempts.entry(key).or_default().push((*session, entry));
        }
        for (step, ids) in tasks {
            if ids.len() > 1 {
                self.doubled(&format!("{step:?} has {} tasks: {ids:?}", ids.len()));
            }
            let instance = format!("{}.", self.noted.instance);
            for id in ids.iter().filter(|id| !id.starts_with(&instance)) {
                self.doubled(&format!(
                    "{step:?} was done by a task of another start: {id}"
                ));
            }
        }
        for ((task, number), lines) in &attempts {
            self.repeated(lines);
            self.report.retries += usize::from(*number > 0);
            let before = number
                .checked_sub(1)
                .map(|before| attempts.get(&(*task, before)));
            let busy = |lines: &Vec<Written<'_>>| lines.iter().any(|(_, e)| e.did == Did::Busy);
            let is_odd = before.is_some_and(|before| !before.is_some_and(busy));
            if is_odd && self.made == Made::Once {
                self.doubled(&format!(
                    "attempt {number} of {task} follows one that did not fail"
                ));
            }
        }
    }

    /// The lines of one attempt: all but the last must be of sessions that were killed.
    fn repeated(&mut self, lines: &[Written<'_>]) {
        self.report.cut += lines.len() - 1;
        if self.made == Made::AtLeastOnce {
            return;
        }
        for pair in lines.windows(2) {
            let ((session, entry), (next, _)) = (pair[0], pair[1]);
            let (step, attempt) = (entry.step, entry.attempt);
            if session == next {
                self.doubled(&format!(
                    "attempt {attempt} of {step:?} was made twice in session {session}"
                ));
            } else if !self.killed[session] {
                self.doubled(&format!(
                    "attempt {attempt} of {step:?} was made again in session {next}, though \
                     session {session} had ended in good order"
                ));
            }
        }
    }
}

/// What the ledger must hold for an outcome; unknown for one that nobody foresaw.
fn steps_of(outcome: &Outcome) -> Option<&'static [(Step, Did)]> {
    match outcome {
        Outcome::Shipped => Some(&[
            (Step::Reserve, Did::Done),
            (Step::Charge, Did::Done),
            (Step::Ship, Did::Done),
        ]),
        Outcome::Declined => Some(&[
            (Step::Reserve, Did::Done),
            (Step::Charge, Did::Declined),
            (Step::Release, Did::Done),
        ]),
        Outcome::OutOfStock => Some(&[(Step::Reserve, Did::Missing)]),
        Outcome::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests;
