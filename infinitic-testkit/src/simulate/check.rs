//! What must hold when all has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use infinitic_core::{
    Attempt, Command, Entry, FailureKind, Instance, InstanceId, Outcome, Position, RunResult,
    Steering,
};

use super::model;
use super::program::Op;
use super::recorded::{Recorded, result_code};
use super::store::{Purged, SimStore};
use super::watch::has_ended_with;
use super::world::MUST_BE_EMPTY;

/// The state that entries fold into.
pub(crate) fn fold(id: InstanceId, entries: &[Entry]) -> Option<Instance> {
    let (first, rest) = entries.split_first()?;
    let mut instance = Instance::begin(id, first)?;
    rest.iter().for_each(|entry| instance.evolve(entry));
    Some(instance)
}

/// What an instance was asked to do, and what its client was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story<'a> {
    pub(crate) id: InstanceId,
    pub(crate) program: &'a Op,
    pub(crate) told: &'a [RunResult],
}

/// One instance: its history is sound, it has ended, and it did what its program says.
pub(crate) fn instance(story: Story<'_>, entries: &[Entry]) -> Vec<String> {
    let id = story.id;
    let Some(instance) = fold(id, entries) else {
        return vec![format!("the start of {id} was lost")];
    };
    if !instance.status().is_ended() {
        return vec![format!("{id} has not ended: {:?}", instance.status())];
    }
    let mut found = history(entries);
    for told in story.told {
        if !has_ended_with(entries, told) {
            found.push(format!(
                "its client was told what is not recorded: {told:?}"
            ));
        }
    }
    match Recorded::read(entries) {
        Ok(recorded) => found.extend(program(story, &recorded)),
        Err(error) => found.push(format!("its history makes no sense: {error}")),
    }
    found
}

/// Outcomes are delivered once, to commands that wait for them; attempts are counted one by one.
fn history(entries: &[Entry]) -> Vec<String> {
    let mut walk = Walk::default();
    for (index, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Started { .. } if index > 0 => {
                walk.found.push("it was started twice".to_owned());
            }
            Entry::Command { command, .. } => {
                if let Command::Cancel { position } = command {
                    walk.cancelled.insert(*position, walk.commands);
                }
                walk.commands += 1;
            }
            Entry::Delivered { position, .. } => walk.delivered(*position),
            Entry::AttemptFailed {
                position, attempt, ..
            } => walk.attempt_failed(*position, *attempt),
            Entry::Reopened {
                outcomes_kept,
                commands_kept,
                open,
                ..
            } => {
                walk.outcomes.truncate(*outcomes_kept as usize);
                walk.commands = *commands_kept;
                walk.cancelled.retain(|_, index| *index < *commands_kept);
                walk.attempts = open.iter().map(|it| (it.position, it.attempt)).collect();
            }
            _ => {}
        }
    }
    walk.found
}

/// A history, read entry by entry.
#[derive(Default)]
struct Walk {
    commands: u32,
    /// What was cancelled, and the number of the command by which it was.
    cancelled: BTreeMap<Position, u32>,
    outcomes: Vec<Position>,
    /// The attempts that run or come next; 0 where nothing is said.
    attempts: BTreeMap<Position, Attempt>,
    found: Vec<String>,
}

impl Walk {
    fn delivered(&mut self, position: Position) {
        if position.0 >= self.commands {
            self.found
                .push(format!("an outcome for {position}, which nobody asked"));
        }
        if self.outcomes.contains(&position) {
            self.found
                .push(format!("the outcome of {position} was delivered twice"));
        }
        if self.cancelled.contains_key(&position) {
            self.found
                .push(format!("an outcome for {position}, which was cancelled"));
        }
        self.outcomes.push(position);
    }

    fn attempt_failed(&mut self, position: Position, attempt: Attempt) {
        let current = self.attempts.entry(position).or_default();
        if *current != attempt {
            self.found.push(format!(
                "attempt {attempt} of {position} failed, where {current} is due"
            ));
        }
        *current = attempt.next();
        if self.outcomes.contains(&position) {
            self.found
                .push(format!("{position} was attempted after its end"));
        }
    }
}

/// What is recorded is what the model says.
fn program(story: Story<'_>, recorded: &Recorded) -> Vec<String> {
    let expected = model::expect(story.id, story.program, recorded);
    let mut found = expected.faults;
    let mut acts = recorded.acts.as_slice();
    for (turn, mut wanted) in expected.turns.into_iter().enumerate() {
        // A cancelled instance may have been told outcomes that its code never saw.
        if acts.is_empty() && recorded.is_cancelled {
            break;
        }
        let (now, later) = acts.split_at(wanted.len().min(acts.len()));
        let mut asked = now.to_vec();
        asked.sort_unstable();
        wanted.sort_unstable();
        if asked != wanted {
            found.push(format!("turn {turn} asked {asked:?} instead of {wanted:?}"));
            return found;
        }
        acts = later;
    }
    if !acts.is_empty() {
        found.push(format!("it asked what its program does not: {acts:?}"));
    }
    let result = recorded.result();
    let is_cancelled = recorded.is_cancelled
        && result == Some(Err(super::code::number::of_kind(FailureKind::Cancelled)));
    if !is_cancelled && result != expected.result {
        found.push(format!(
            "it ended with {result:?} instead of {:?}",
            expected.result
        ));
    }
    let told = story.told.last().map(result_code);
    if told.is_none() {
        found.push("its client was told nothing".to_owned());
    }
    found
}

/// Nothing is left of records whose retention time is over, and none went before its time.
pub(crate) fn residue(
    store: &SimStore,
    purged: &BTreeMap<InstanceId, Purged>,
    retention: Duration,
) -> Vec<String> {
    let mut found = Vec::new();
    for table in MUST_BE_EMPTY {
        let rows = store.rows(table);
        if !rows.is_empty() {
            let keys: Vec<_> = rows.iter().map(|(key, _)| key).take(3).collect();
            found.push(format!(
                "{} rows are left in `{}` after the retention time: {keys:02x?}",
                rows.len(),
                table.name()
            ));
        }
    }
    for (id, Purged { entries, at }) in purged {
        let Some(instance) = fold(*id, entries) else {
            found.push(format!("{id} was purged in part"));
            continue;
        };
        let is_due = *at >= instance.changed_at + retention;
        if !instance.status().is_ended() || !is_due {
            found.push(format!(
                "{id} was purged at {at}, {:?} since {}",
                instance.status(),
                instance.changed_at
            ));
        }
    }
    found
}

/// What a history shows, in words, for the counts of what the seeds have reached.
pub(crate) fn features(entries: &[Entry]) -> Vec<&'static str> {
    let feature = |entry: &Entry| match entry {
        Entry::Reopened { .. } => Some("history: reopened"),
        Entry::AttemptFailed { .. } => Some("history: attempt retried"),
        Entry::AttemptRedelivered { .. } => Some("history: attempt redelivered"),
        Entry::TurnMarked { done: false, .. } => Some("history: turn marked"),
        Entry::RunEnded { result: Err(_), .. } => Some("history: run failed"),
        Entry::RunEnded { result: Ok(_), .. } => Some("history: run completed"),
        Entry::Command { command, .. } => match command {
            Command::Cancel { .. } => Some("history: call cancelled"),
            Command::Step { .. } => Some("history: step"),
            Command::StartTimer { .. } => Some("history: timer"),
            Command::CallTask { .. } => Some("history: task"),
            _ => None,
        },
        Entry::Delivered { outcome, .. } => match outcome {
            Outcome::TimedOut => Some("history: caller's limit ran out"),
            Outcome::Failed(record) if record.kind == FailureKind::Crashed => {
                Some("history: attempt given up after crashes")
            }
            _ => None,
        },
        Entry::Steered { steering, .. } => match steering {
            Steering::Stopped { .. } => Some("history: stopped"),
            Steering::TurnRetried => Some("history: turn retried"),
            Steering::TurnTriedAgain => Some("history: turn tried again by policy"),
            Steering::CancelRequested => Some("history: instance cancelled"),
            _ => None,
        },
        _ => None,
    };
    entries.iter().filter_map(feature).collect()
}
