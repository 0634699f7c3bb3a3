//! What is stored of an instance: entries, appended and never rewritten.
//!
//! An instance's state is the fold of its entries (`Instance::evolve`), live and after a crash
//! alike. Variants are only ever added at the end: stored bytes must keep their meaning.

use serde::{Deserialize, Serialize};

use crate::command::{Command, RunResult};
use crate::failure::FailureRecord;
use crate::ids::{Attempt, Position, Reopening, RunNo, Sequence};
use crate::names::{MethodName, PropertyName, WorkflowName};
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::time::Timestamp;

/// A command that is open after a reopening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCommand {
    /// Its place.
    pub position: Position,
    /// The reopening in which it was asked; part of its id.
    pub reopening: Reopening,
    /// The sequence in which it goes on.
    pub sequence: Sequence,
    /// The attempt at which it goes on.
    pub attempt: Attempt,
    /// The command.
    pub command: Command,
}

/// What somebody did to an instance from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steering {
    /// Its code cannot go on: the instance stands still until `TurnRetried`.
    Stopped {
        /// Both sides and the source line.
        explanation: Box<FailureRecord>,
    },
    /// The stopped code is given another try.
    TurnRetried,
    /// It starts nothing new until resumed.
    Paused,
    /// It goes on.
    Resumed,
    /// Somebody asked for its cancel.
    CancelRequested,
    /// Timers were completed by hand.
    TimersCompleted,
    /// It was started when nobody hosted its workflow; now somebody does.
    VersionChosen {
        /// The version of its code.
        version: u32,
    },
    /// The turn that stopped it is tried again. Always behind its `Stopped`.
    TurnRetryPlanned {
        /// The try that failed, from 0.
        attempt: Attempt,
        /// When the next one is due.
        due: Timestamp,
    },
    /// The pause is over: the turn runs again. Unlike `TurnRetried`, nobody vouches for its code.
    TurnTriedAgain,
}

/// One stored fact about an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// The instance began. Always the first entry.
    Started {
        /// Its workflow.
        workflow: WorkflowName,
        /// The version of its code.
        version: u32,
        /// Its labels.
        tags: Vec<String>,
        /// Free key and value pairs.
        meta: Vec<(String, String)>,
    },
    /// A method began to run.
    RunStarted {
        /// Its number.
        run: RunNo,
        /// The method.
        method: MethodName,
        /// The arguments, a JSON array.
        args: Payload,
        /// The time of its first turn.
        at: Timestamp,
        /// The numbers of changes of the properties it saw.
        properties: Vec<(PropertyName, u64)>,
    },
    /// Workflow code asked for something.
    Command {
        /// The run that asked.
        run: RunNo,
        /// The command; its position is the number of commands of the run before it.
        command: Command,
    },
    /// A wait ended.
    Delivered {
        /// The run that waits.
        run: RunNo,
        /// The command that it waits for.
        position: Position,
        /// How it ended.
        outcome: Outcome,
        /// The time of the turn that sees it.
        at: Timestamp,
    },
    /// A property got a value outside of a command.
    PropertyChanged {
        /// The property.
        name: PropertyName,
        /// Its value.
        value: Payload,
    },
    /// An attempt of a task failed, and another one follows.
    AttemptFailed {
        /// The run that called it.
        run: RunNo,
        /// The command that called it.
        position: Position,
        /// The attempt that failed.
        attempt: Attempt,
        /// How.
        failure: Box<FailureRecord>,
        /// When the next attempt is due.
        due: Timestamp,
    },
    /// An attempt is given out once more, because the process died during it.
    AttemptRedelivered {
        /// The run that called it.
        run: RunNo,
        /// The command that called it.
        position: Position,
        /// The attempt.
        attempt: Attempt,
    },
    /// A run goes on from an earlier point: what followed is void.
    Reopened {
        /// The run.
        run: RunNo,
        /// How many outcomes stay.
        outcomes_kept: u32,
        /// How many commands stay.
        commands_kept: u32,
        /// The commands among them that are open again.
        open: Vec<KeptCommand>,
        /// When.
        at: Timestamp,
    },
    /// A message to another instance has arrived there.
    Settled {
        /// The run that sent it.
        run: RunNo,
        /// The command that sent it.
        position: Position,
    },
    /// Somebody steered the instance.
    Steered {
        /// How.
        steering: Steering,
        /// When.
        at: Timestamp,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: RunNo,
        /// What it ended with.
        result: RunResult,
        /// When.
        at: Timestamp,
    },
    /// A turn is about to run that may take the process down, or has ended well (written in
    /// cautious recovery only).
    TurnMarked {
        /// The run.
        run: RunNo,
        /// Whether it has ended well.
        done: bool,
    },
    /// A failed attempt has changed what the task's later attempts are given. Always behind its
    /// `AttemptFailed`.
    MetaChanged {
        /// The run that called it.
        run: RunNo,
        /// The command that called it.
        position: Position,
        /// The key and value pairs: all of them, sorted by key.
        meta: Vec<(String, String)>,
    },
}
