//! A history as replay reads it: for each run, its commands in order and its outcomes in order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::{Command, RunResult};
use crate::entry::Entry;
use crate::ids::{Position, Reopening, RunNo};
use crate::names::MethodName;
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::time::Timestamp;

/// An outcome as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredOutcome {
    /// The command that was waited for.
    pub position: Position,
    /// How the wait ended.
    pub outcome: Outcome,
    /// The time of the turn that saw it.
    pub at: Timestamp,
    /// The run had ended before, so that its code never saw it.
    pub late: bool,
}

/// What is known of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHistory {
    /// The method.
    pub method: MethodName,
    /// Its arguments, a JSON array.
    pub args: Payload,
    /// The time of its first turn.
    pub started_at: Timestamp,
    /// How often it was reopened.
    pub reopening: Reopening,
    /// Its commands in order, each with the reopening in which it was asked.
    pub commands: Vec<(Reopening, Command)>,
    /// Its outcomes in the order in which they were delivered.
    pub outcomes: Vec<DeliveredOutcome>,
    /// What it ended with, if it did.
    pub result: Option<RunResult>,
}

/// The histories of an instance's runs, folded from its entries. Voided parts are gone.
///
/// ```
/// use infinitic_core::{Entry, History, Payload, RunNo, Timestamp, names::MethodName};
/// let mut history = History::default();
/// history.add(Entry::RunStarted {
///     run: RunNo(0),
///     method: MethodName::known("start"),
///     args: Payload::from_json("[]"),
///     at: Timestamp::from_millis(1),
///     properties: vec![],
/// });
/// assert!(history.run(RunNo(0)).unwrap().commands.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    // Boxed: nearly all instances have one run, and a node of the map has room for eleven.
    runs: BTreeMap<RunNo, Box<RunHistory>>,
}

impl History {
    /// One run.
    #[must_use]
    pub fn run(&self, run: RunNo) -> Option<&RunHistory> {
        self.runs.get(&run).map(|history| &**history)
    }

    /// Takes one run out.
    #[must_use]
    pub fn take_run(&mut self, run: RunNo) -> Option<RunHistory> {
        self.runs.remove(&run).map(|history| *history)
    }

    /// Adds the next entry.
    pub fn add(&mut self, entry: Entry) {
        match entry {
            Entry::RunStarted {
                run,
                method,
                args,
                at,
                properties: _,
            } => {
                let history = RunHistory {
                    method,
                    args,
                    started_at: at,
                    reopening: Reopening(0),
                    commands: Vec::new(),
                    outcomes: Vec::new(),
                    result: None,
                };
                self.runs.insert(run, Box::new(history));
            }
            Entry::Command { run, command } => {
                if let Some(history) = self.runs.get_mut(&run) {
                    history.commands.push((history.reopening, command));
                }
            }
            Entry::Delivered {
                run,
                position,
                outcome,
                at,
            } => {
                if let Some(history) = self.runs.get_mut(&run) {
                    history.outcomes.push(DeliveredOutcome {
                        position,
                        outcome,
                        at,
                        late: history.result.is_some(),
                    });
                }
            }
            Entry::Reopened {
                run,
                outcomes_kept,
                commands_kept,
                open: _,
                at: _,
            } => {
                if let Some(history) = self.runs.get_mut(&run) {
                    history.outcomes.truncate(outcomes_kept as usize);
                    history.commands.truncate(commands_kept as usize);
                    history.reopening = history.reopening.next();
                    history.result = None;
                }
            }
            Entry::RunEnded { run, result, at: _ } => {
                if let Some(history) = self.runs.get_mut(&run) {
                    history.result = Some(result);
                }
            }
            Entry::Started { .. }
            | Entry::PropertyChanged { .. }
            | Entry::AttemptFailed { .. }
            | Entry::AttemptRedelivered { .. }
            | Entry::Settled { .. }
            | Entry::Steered { .. }
            | Entry::TurnMarked { .. }
            | Entry::MetaChanged { .. } => {}
        }
    }
}
