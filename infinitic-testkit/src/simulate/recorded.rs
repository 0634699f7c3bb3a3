//! The final history of an instance, as the model reads it: acts with their labels.

use std::collections::BTreeMap;

use infinitic_core::{
    Command, Entry, History, Outcome, Position, RunHistory, RunNo, RunResult, Sequence, Timestamp,
};

use infinitic_runtime::failure::Failure;

use super::code::{ProgramError, TaskFault, Total, number};
use super::program::Call;

/// One command, named by the label of the operation that asked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// A task or a step.
    Call(u32),
    /// The mark before a timer.
    Mark(u32),
    /// A timer.
    Timer(u32),
    /// A recorded value.
    Inline(u32),
    /// A change of the property.
    Set(u32),
    /// The cancel of a task, step or timer.
    Cancel(u32),
}

/// A history by labels.
#[derive(Debug)]
pub(crate) struct Recorded {
    history: RunHistory,
    /// In the order in which they were asked.
    pub(crate) acts: Vec<Act>,
    calls: BTreeMap<u32, (Call, u64)>,
    timers: BTreeMap<u32, u64>,
    inlines: BTreeMap<u32, u64>,
    /// When a call or timer was told its outcome.
    delivered: BTreeMap<u32, usize>,
    /// The sequence (retry by hand) that gave each outcome.
    sequences: BTreeMap<Position, Sequence>,
    /// Somebody cancelled the instance.
    pub(crate) is_cancelled: bool,
}

impl Recorded {
    /// Reads the entries of an instance.
    pub(crate) fn read(entries: &[Entry]) -> Result<Self, String> {
        let mut history = History::default();
        for entry in entries {
            history.add(entry.clone());
        }
        let history = history.take_run(RunNo(0)).ok_or("it has no run")?;
        let is_cancelled = entries.iter().any(|entry| {
            use infinitic_core::Steering::CancelRequested;
            matches!(entry, Entry::Steered { steering, .. } if *steering == CancelRequested)
        });
        let mut recorded = Self {
            history,
            sequences: sequences(entries),
            acts: Vec::new(),
            calls: BTreeMap::new(),
            timers: BTreeMap::new(),
            inlines: BTreeMap::new(),
            delivered: BTreeMap::new(),
            is_cancelled,
        };
        let commands: Vec<Command> = recorded
            .history
            .commands
            .iter()
            .map(|(_, command)| command.clone())
            .collect();
        for command in &commands {
            recorded.add(command)?;
        }
        for (index, delivered) in recorded.history.outcomes.iter().enumerate() {
            let label = recorded.label(delivered.position)?;
            recorded.delivered.entry(label).or_insert(index + 1);
        }
        Ok(recorded)
    }

    fn add(&mut self, command: &Command) -> Result<(), String> {
        let act = match command {
            Command::CallTask { args, .. } => {
                let (call, input): (Call, u64) = parse(args.as_bytes())?;
                let label = call.label;
                self.calls.insert(label, (call, input));
                Act::Call(label)
            }
            Command::Step { name } => {
                let label = name.as_str().strip_prefix("step-").unwrap_or_default();
                Act::Call(label.parse().map_err(|_| format!("step {name}"))?)
            }
            Command::Inline { value } => match parse(value.as_bytes()) {
                Ok((label, count)) => {
                    self.inlines.insert(label, count);
                    Act::Inline(label)
                }
                Err(_) => Act::Mark(parse(value.as_bytes())?),
            },
            Command::StartTimer { due } => {
                let Some(Act::Mark(label)) = self.acts.last().copied() else {
                    return Err("a timer stands without its mark".to_owned());
                };
                self.timers.insert(label, due.as_millis());
                Act::Timer(label)
            }
            Command::SetProperty { value, .. } => {
                let total: Total = parse(value.as_bytes())?;
                Act::Set(total.label)
            }
            Command::Cancel { position } => Act::Cancel(self.label(*position)?),
            other => return Err(format!("nobody asked for a {}", other.describe())),
        };
        self.acts.push(act);
        Ok(())
    }

    fn label(&self, position: Position) -> Result<u32, String> {
        match self.acts.get(position.0 as usize) {
            Some(Act::Call(label) | Act::Timer(label)) => Ok(*label),
            other => Err(format!("nobody waits at {position}: there is {other:?}")),
        }
    }

    /// How many outcomes there are.
    pub(crate) fn outcomes(&self) -> usize {
        self.history.outcomes.len()
    }

    /// The sequence that gave a call its outcome.
    pub(crate) fn sequence(&self, label: u32) -> u32 {
        let outcome = self.delivered(label).map(|turn| turn - 1);
        let position = outcome.map(|index| self.history.outcomes[index].position);
        let sequence = position.and_then(|position| self.sequences.get(&position));
        sequence.map_or(0, |sequence| sequence.0)
    }

    /// The clock of a turn.
    pub(crate) fn time(&self, turn: usize) -> u64 {
        match turn.checked_sub(1) {
            None => self.history.started_at.as_millis(),
            Some(index) => self.history.outcomes[index].at.as_millis(),
        }
    }

    /// The turn that told a call or timer its outcome.
    pub(crate) fn delivered(&self, label: u32) -> Option<usize> {
        self.delivered.get(&label).copied()
    }

    /// The recorded arguments of a task.
    pub(crate) fn call(&self, label: u32) -> Option<&(Call, u64)> {
        self.calls.get(&label)
    }

    /// When a timer is due.
    pub(crate) fn timer(&self, label: u32) -> Option<u64> {
        self.timers.get(&label).copied()
    }

    /// A recorded value.
    pub(crate) fn inline(&self, label: u32) -> Option<u64> {
        self.inlines.get(&label).copied()
    }

    /// The outcome of a call, as a value or the number of a failure.
    pub(crate) fn outcome(&self, label: u32) -> Option<Result<u64, u64>> {
        let index = self.delivered(label)? - 1;
        Some(match &self.history.outcomes[index].outcome {
            Outcome::Value(value) => parse(value.as_bytes()).map_err(|_| 0),
            Outcome::Failed(record) => Err(record
                .error
                .as_ref()
                .and_then(|error| parse::<TaskFault>(error.as_bytes()).ok())
                .map_or_else(
                    || number::of_kind(record.kind),
                    |fault| number::of_task_fault(&fault),
                )),
            Outcome::TimedOut => Err(number::TIMED_OUT),
            _ => Err(0),
        })
    }

    /// What the run ended with.
    pub(crate) fn result(&self) -> Option<Result<u64, u64>> {
        self.history.result.as_ref().map(result_code)
    }
}

/// The sequence that gave each outcome. One that a reopening tells again is that of its first time;
/// it stands directly behind, and bears the same time. One that looks like it and comes later is of
/// the new sequence: or of the old one, by a bug that must be found.
fn sequences(entries: &[Entry]) -> BTreeMap<Position, Sequence> {
    let mut current: BTreeMap<Position, Sequence> = BTreeMap::new();
    let mut outcomes: Vec<(Position, Sequence, &Outcome)> = Vec::new();
    let mut voided = Vec::new();
    let mut reopened_at = Timestamp::default();
    for entry in entries {
        match entry {
            Entry::Delivered {
                position,
                outcome,
                at,
                ..
            } => {
                let before = voided
                    .iter()
                    .filter(|_| *at == reopened_at)
                    .find(|(it, _, old)| it == position && *old == outcome);
                let sequence = before.map(|(_, sequence, _)| *sequence);
                let sequence = sequence.or_else(|| current.get(position).copied());
                outcomes.push((*position, sequence.unwrap_or_default(), outcome));
            }
            Entry::Reopened {
                outcomes_kept,
                open,
                at,
                ..
            } => {
                reopened_at = *at;
                voided = outcomes.split_off(*outcomes_kept as usize);
                current = open.iter().map(|it| (it.position, it.sequence)).collect();
            }
            _ => voided.clear(),
        }
    }
    let told = outcomes.into_iter();
    told.map(|(position, sequence, _)| (position, sequence))
        .collect()
}

/// A run's result as a value or the number of its failure.
pub(crate) fn result_code(result: &RunResult) -> Result<u64, u64> {
    match result {
        Ok(value) => parse(value.as_bytes()).map_err(|_| 0),
        Err(record) => {
            let failure = Failure::from_record(record.as_ref().clone());
            Err(failure.error_as::<ProgramError>().map_or_else(
                || number::of_kind(record.kind),
                |error| number::of_error(&error),
            ))
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}
