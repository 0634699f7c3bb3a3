//! The state of one instance: the fold of its entries, small at any length of its history.
//!
//! [`Instance::evolve`] is the only place where state changes, live and after a crash alike. What
//! is done is not kept here: only what is open, and the few counters that number what comes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::{Command, RunResult};
use crate::entry::{Entry, KeptCommand, Steering};
use crate::failure::{FailureKind, FailureRecord};
use crate::ids::{Attempt, CommandId, InstanceId, Position, Reopening, RequestId, RunNo, Sequence};
use crate::names::{MethodName, WorkflowName};
use crate::outcome::Outcome;
use crate::time::Timestamp;

pub use crate::open::{Attempts, Open, OpenKind, OpenStep, OpenTask};

/// Failures of earlier attempts that are kept in words: enough to see a pattern, too few to matter.
const PREVIOUS_KEPT: usize = 10;

/// The version of an instance that was started when nobody hosted its workflow.
pub const VERSION_OPEN: u32 = u32::MAX;

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// It runs, or waits.
    Running,
    /// Its code cannot go on until it is mended.
    Stopped,
    /// It ended with a value.
    Completed,
    /// It ended with a failure; it may be reopened while its record is kept.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Status {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_ended(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Running | Self::Stopped => false,
        }
    }
}

/// What an instance is, beside what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// The version of its code.
    pub version: u32,
    /// Labels.
    pub tags: Vec<String>,
    /// Free key and value pairs.
    pub meta: Vec<(String, String)>,
    /// When it began.
    pub started_at: Timestamp,
    /// The time of its last entry; its clock never runs back before it.
    pub changed_at: Timestamp,
    /// Its runs. Boxed, as the open commands are: nearly all instances have one of each, and a node
    /// of the map has room for eleven.
    pub runs: BTreeMap<RunNo, Box<Run>>,
    /// Why its code stands still, if it does.
    pub stopped: Option<Box<FailureRecord>>,
    /// Where the tries of the turn stand that stopped it, if the worker's policy wants any.
    pub turn_retry: Option<Box<TurnRetry>>,
    /// Whether somebody cancelled it.
    pub cancelled: bool,
    /// Clients that wait for its end. In memory only: clients repeat what is not answered.
    pub waiting: Vec<RequestId>,
}

/// Where the tries of a turn stand that could not go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnRetry {
    /// The next try, or the one under way; the first one, which failed, was 0.
    pub attempt: Attempt,
    /// When the next one is due. **Invariant:** set only while the instance is stopped.
    pub due: Option<Timestamp>,
    /// Why the earlier ones could not go on, in words, oldest first.
    pub previous: Vec<String>,
}

/// One method run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The method.
    pub method: MethodName,
    /// How often it was reopened.
    pub reopening: Reopening,
    /// How many commands it has asked: the next one's position.
    pub commands: u32,
    /// How many outcomes it was told.
    pub outcomes: u32,
    /// Commands without an outcome.
    pub open: BTreeMap<Position, Box<Open>>,
    /// What it ended with.
    pub result: Option<RunResult>,
    /// Turns in a row during which the process died.
    pub deadly_turns: u32,
}

impl Instance {
    /// The state after the first entry.
    ///
    /// Returns nothing when `entry` is not `Started`, which no store of ours writes.
    #[must_use]
    pub fn begin(id: InstanceId, entry: &Entry) -> Option<Self> {
        let Entry::Started {
            workflow,
            version,
            tags,
            meta,
        } = entry
        else {
            return None;
        };
        Some(Self {
            id,
            workflow: workflow.clone(),
            version: *version,
            tags: tags.clone(),
            meta: meta.clone(),
            started_at: Timestamp::default(),
            changed_at: Timestamp::default(),
            runs: BTreeMap::new(),
            stopped: None,
            turn_retry: None,
            cancelled: false,
            waiting: Vec::new(),
        })
    }

    /// How the instance stands.
    #[must_use]
    pub fn status(&self) -> Status {
        if self
            .runs
            .values()
            .any(|run| run.result.is_none() || run.holds())
        {
            return if self.stopped.is_some() {
                Status::Stopped
            } else {
                Status::Running
            };
        }
        match self.runs.get(&RunNo(0)).and_then(|run| run.result.as_ref()) {
            None | Some(Ok(_)) => Status::Completed,
            Some(Err(_)) if self.cancelled => Status::Cancelled,
            Some(Err(_)) => Status::Failed,
        }
    }

    /// When the turn that stopped the instance is tried again, if it is.
    #[must_use]
    pub fn turn_retry_due(&self) -> Option<Timestamp> {
        self.turn_retry.as_ref()?.due
    }

    /// The open command of an id, if the id still names one.
    #[must_use]
    pub fn open(&self, id: CommandId) -> Option<&Open> {
        let open = self.runs.get(&id.run)?.open.get(&id.position)?;
        (open.reopening == id.reopening).then_some(open)
    }

    /// The id of an open command.
    #[must_use]
    pub fn command_id(&self, run: RunNo, position: Position, open: &Open) -> CommandId {
        CommandId {
            instance: self.id,
            run,
            reopening: open.reopening,
            position,
        }
    }

    /// Whether a step is open: the live future holds what it runs.
    #[must_use]
    pub fn has_open_step(&self) -> bool {
        self.runs
            .values()
            .flat_map(|run| run.open.values())
            .any(|open| matches!(open.kind, OpenKind::Step(_)))
    }

    /// Takes one more entry into the state.
    pub fn evolve(&mut self, entry: &Entry) {
        match entry {
            Entry::RunStarted {
                run,
                method,
                at,
                args: _,
                properties: _,
            } => self.start_run(*run, method, *at),
            Entry::Command { run, command } => self.ask(*run, command),
            Entry::Delivered {
                run,
                position,
                outcome: _,
                at,
            } => self.deliver(*run, *position, *at),
            Entry::AttemptFailed { run, position, .. }
            | Entry::AttemptRedelivered { run, position, .. }
            | Entry::MetaChanged { run, position, .. } => {
                if let Some(open) = self.open_mut(*run, *position) {
                    open.kind.attempted(entry);
                }
            }
            Entry::Reopened {
                run,
                outcomes_kept,
                commands_kept,
                open,
                at,
            } => {
                self.touch(*at);
                self.stopped = None;
                self.turn_retry = None;
                if let Some(run) = self.runs.get_mut(run) {
                    run.reopen(*outcomes_kept, *commands_kept, open, *at);
                }
            }
            Entry::Steered { steering, at } => {
                self.touch(*at);
                self.steer(steering);
            }
            Entry::RunEnded { run, result, at } => {
                self.touch(*at);
                self.turn_retry = None;
                if let Some(run) = self.runs.get_mut(run) {
                    run.end(result.clone());
                }
            }
            Entry::TurnMarked { run, done } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.deadly_turns = if *done { 0 } else { run.deadly_turns + 1 };
                }
            }
            Entry::Started { .. } | Entry::PropertyChanged { .. } | Entry::Settled { .. } => {}
        }
    }

    fn ask(&mut self, run: RunNo, command: &Command) {
        let now = self.changed_at;
        // The turn went well.
        self.turn_retry = None;
        if let Some(run) = self.runs.get_mut(&run) {
            run.ask(command, now);
        }
    }

    fn start_run(&mut self, run: RunNo, method: &MethodName, at: Timestamp) {
        if self.runs.is_empty() {
            self.started_at = at;
        }
        self.touch(at);
        self.runs.insert(run, Box::new(Run::new(method.clone())));
    }

    fn deliver(&mut self, run: RunNo, position: Position, at: Timestamp) {
        self.touch(at);
        if self.stopped.is_none() {
            // The turn before went well, without asking for anything.
            self.turn_retry = None;
        }
        if let Some(run) = self.runs.get_mut(&run) {
            run.open.remove(&position);
            run.outcomes += 1;
            // The process has outlived the turn before.
            run.deadly_turns = 0;
        }
    }

    fn touch(&mut self, at: Timestamp) {
        self.changed_at = self.changed_at.max(at);
    }

    fn open_mut(&mut self, run: RunNo, position: Position) -> Option<&mut Open> {
        let open = self.runs.get_mut(&run)?.open.get_mut(&position)?;
        Some(open)
    }

    fn steer(&mut self, steering: &Steering) {
        match steering {
            Steering::Stopped { explanation } => {
                self.stopped = Some(explanation.clone());
                if let Some(retry) = &mut self.turn_retry {
                    retry.due = None;
                }
            }
            Steering::TurnRetried => {
                self.stopped = None;
                self.turn_retry = None;
                // Somebody vouches for mended code: its turns are counted anew.
                for run in self.runs.values_mut() {
                    run.deadly_turns = 0;
                }
            }
            Steering::CancelRequested => {
                self.cancelled = true;
                self.stopped = None;
                self.turn_retry = None;
                for run in self.runs.values_mut() {
                    run.open.clear();
                }
            }
            Steering::VersionChosen { version } => self.version = *version,
            Steering::TurnRetryPlanned { attempt, due } => self.plan_turn_retry(*attempt, *due),
            Steering::TurnTriedAgain => {
                self.stopped = None;
                if let Some(retry) = &mut self.turn_retry {
                    retry.due = None;
                }
            }
            Steering::Paused | Steering::Resumed | Steering::TimersCompleted => {}
        }
    }
}

impl Instance {
    fn plan_turn_retry(&mut self, attempt: Attempt, due: Timestamp) {
        let retry = self.turn_retry.get_or_insert_default();
        retry.attempt = attempt.next();
        retry.due = Some(due);
        if let Some(explanation) = &self.stopped {
            keep_previous(&mut retry.previous, &explanation.message);
        }
    }
}

impl Run {
    fn new(method: MethodName) -> Self {
        Self {
            method,
            reopening: Reopening(0),
            commands: 0,
            outcomes: 0,
            open: BTreeMap::new(),
            result: None,
            deadly_turns: 0,
        }
    }

    fn end(&mut self, result: RunResult) {
        self.result = Some(result);
        self.open.retain(|_, open| open.kind.outlives_its_run());
    }

    /// Whether the instance must not end because of this run's open commands.
    fn holds(&self) -> bool {
        self.open.values().any(|open| open.kind.outlives_its_run())
    }

    fn ask(&mut self, command: &Command, now: Timestamp) {
        let position = Position(self.commands);
        self.commands += 1;
        if let Command::Cancel { position } = command {
            self.open.remove(position);
        } else if let Some(kind) = OpenKind::of(command, now) {
            let open = Open {
                reopening: self.reopening,
                sequence: Sequence(0),
                kind,
            };
            self.open.insert(position, Box::new(open));
        }
    }

    fn reopen(&mut self, outcomes: u32, commands: u32, open: &[KeptCommand], at: Timestamp) {
        self.result = None;
        self.reopening = self.reopening.next();
        self.outcomes = outcomes;
        self.commands = commands;
        self.deadly_turns = 0;
        let mut before = std::mem::take(&mut self.open);
        for kept in open {
            self.keep(kept, before.remove(&kept.position), at);
        }
    }

    fn keep(&mut self, kept: &KeptCommand, before: Option<Box<Open>>, at: Timestamp) {
        if let Some(before) = before.filter(|open| kept.goes_on(open)) {
            self.open.insert(kept.position, before);
        } else if let Some(mut kind) = OpenKind::of(&kept.command, at) {
            if let Some(attempts) = kind.attempts_mut() {
                attempts.current = kept.attempt;
            }
            let open = Open {
                reopening: kept.reopening,
                sequence: kept.sequence,
                kind,
            };
            self.open.insert(kept.position, Box::new(open));
        }
    }
}

impl KeptCommand {
    /// Whether it is what was open before, untouched by the reopening.
    fn goes_on(&self, before: &Open) -> bool {
        (before.reopening, before.sequence) == (self.reopening, self.sequence)
    }
}

pub(crate) fn keep_previous(previous: &mut Vec<String>, message: &str) {
    previous.push(message.to_owned());
    if previous.len() > PREVIOUS_KEPT {
        previous.remove(0);
    }
}

/// The failure that callers of a cancelled instance are told.
#[must_use]
pub fn cancelled_failure(instance: &Instance) -> Box<FailureRecord> {
    let origin = crate::failure::Origin::Instance {
        id: instance.id,
        workflow: instance.workflow.clone(),
    };
    Box::new(FailureRecord::new(FailureKind::Cancelled, "the instance was cancelled").at(origin))
}

/// Whether an outcome is a failed task or step, which `retry_tasks` may start anew.
#[must_use]
pub fn is_failed(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(_) | Outcome::TimedOut => true,
        Outcome::Value(_)
        | Outcome::Cancelled
        | Outcome::UnknownInstance
        | Outcome::StartRefused(_)
        | Outcome::Attached(_)
        | Outcome::Due
        | Outcome::Signal(_)
        | Outcome::PropertiesChanged(_) => false,
    }
}
