//! What arrives at an instance.
//!
//! The list is complete from the start; what is not built yet is answered with a refusal that says
//! so.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::entry::KeptCommand;
use crate::failure::FailureRecord;
use crate::ids::{Attempt, CommandId, InstanceId, Position, Reopening, RequestId, RunNo, Sequence};
use crate::names::{ChannelName, MethodName, WorkflowName};
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a client asks when it starts an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The workflow.
    pub workflow: WorkflowName,
    /// The version of its code; the highest hosted one when the client does not care.
    pub version: Option<u32>,
    /// The method that starts it.
    pub method: MethodName,
    /// The arguments, a JSON array.
    pub args: Payload,
    /// Labels.
    pub tags: Vec<String>,
    /// Free key and value pairs.
    pub meta: Vec<(String, String)>,
    /// Claim to be the only live instance of this name.
    pub custom_id: Option<String>,
}

/// How one attempt of a task or step ended, with what its worker decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptResult {
    /// With a value.
    Value(Payload),
    /// With a failure; another attempt follows after so many milliseconds, or none.
    Failed {
        /// How it failed.
        failure: Box<FailureRecord>,
        /// Milliseconds until the next attempt.
        retry_after_ms: Option<u64>,
    },
    /// With a failure, another attempt follows, and the attempt has changed the task's meta.
    FailedWithMeta {
        /// How it failed.
        failure: Box<FailureRecord>,
        /// Milliseconds until the next attempt.
        retry_after_ms: u64,
        /// What the next attempt is given: all of it, sorted by key.
        meta: Vec<(String, String)>,
    },
}

/// Where a run goes on when it is reopened; computed from its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The run.
    pub run: RunNo,
    /// How many outcomes stay.
    pub outcomes_kept: u32,
    /// How many commands stay.
    pub commands_kept: u32,
    /// The commands among them that are open again.
    pub open: Vec<KeptCommand>,
    /// Outcomes that are delivered again at once, in this order.
    pub redeliver: Vec<(Position, Outcome)>,
}

/// Which alarm a timer rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKind {
    /// A timer of workflow code.
    Timer,
    /// The pause before the next attempt of a task or step.
    Backoff,
    /// The caller's limit for a call.
    Deadline,
    /// The pause before a turn is tried again. It belongs to the instance: see
    /// [`TimerKey::of_turn`].
    TurnRetry,
}

/// A timer of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimerKey {
    /// The command it belongs to.
    pub id: CommandId,
    /// Which of the command's timers.
    pub kind: TimerKind,
}

impl TimerKey {
    /// The alarm for another try of the turn that stopped an instance. Stopped code stands still
    /// as a whole, so there is one at a time; it bears the name of the first command's place, which
    /// no other alarm of this kind has.
    #[must_use]
    pub fn of_turn(instance: InstanceId) -> Self {
        let id = CommandId {
            instance,
            run: RunNo(0),
            reopening: Reopening(0),
            position: Position(0),
        };
        let kind = TimerKind::TurnRetry;
        Self { id, kind }
    }
}

/// What one turn of workflow code gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnReport {
    /// New commands in the order in which they were asked; `End` only as the last.
    pub commands: Vec<Command>,
    /// Why the code cannot go on. The commands of such a turn are void.
    pub stopped: Option<Box<FailureRecord>>,
}

/// What arrives at an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Start it.
    Start {
        /// What to start.
        start: Box<Start>,
        /// Told once the start is durable.
        started: Option<RequestId>,
        /// Told once the instance's first run has ended.
        ended: Option<RequestId>,
    },
    /// Start it from the history of another one.
    StartFrom {
        /// Whose history.
        source: InstanceId,
        /// Told once the start is durable.
        request: Option<RequestId>,
    },
    /// Run a method beside those that run.
    CallMethod {
        /// The method.
        method: MethodName,
        /// The arguments, a JSON array.
        args: Payload,
        /// Told how it ended.
        request: Option<RequestId>,
    },
    /// A signal for a channel.
    Signal {
        /// The channel.
        channel: ChannelName,
        /// The signal.
        value: Payload,
    },
    /// Answer from the current properties.
    Query {
        /// The read-only method.
        method: MethodName,
        /// The arguments, a JSON array.
        args: Payload,
        /// Told the answer.
        request: RequestId,
    },
    /// An attempt of a task or step ended.
    AttemptEnded {
        /// The task or step.
        id: CommandId,
        /// The manual sequence it belongs to.
        sequence: Sequence,
        /// Its number.
        attempt: Attempt,
        /// How it ended.
        result: AttemptResult,
    },
    /// An attempt goes on elsewhere: a client will complete it.
    Delegated {
        /// The task.
        id: CommandId,
        /// The attempt.
        attempt: Attempt,
    },
    /// A running attempt is alive.
    Heartbeat {
        /// The task.
        id: CommandId,
        /// The attempt.
        attempt: Attempt,
        /// How far it is.
        progress: Payload,
    },
    /// A client completed a delegated task.
    DelegatedCompleted {
        /// The task.
        id: CommandId,
        /// With what.
        outcome: Outcome,
    },
    /// A child, or a method called on another instance, ended.
    RemoteEnded {
        /// The command that asked for it.
        id: CommandId,
        /// With what.
        outcome: Outcome,
    },
    /// A turn ended.
    TurnEnded {
        /// Whose turn.
        run: RunNo,
        /// With what.
        report: TurnReport,
    },
    /// A message to another instance has arrived there.
    Settled {
        /// The command that sent it.
        id: CommandId,
    },
    /// A timer is due.
    TimerDue {
        /// Which one.
        timer: TimerKey,
    },
    /// Cancel the whole instance, or one of its runs.
    Cancel {
        /// Only this run.
        run: Option<RunNo>,
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// Try the turn again that stopped the instance, or reopen its failed run at the last outcome.
    RetryTurn {
        /// Where to go on, if the run had ended.
        cut: Option<Box<Cut>>,
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// Start failed tasks anew, reopening the run if it failed by them.
    RetryTasks {
        /// Where to go on; none when the history holds no failed task.
        cut: Option<Box<Cut>>,
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// Let the timers ring now.
    CompleteTimers {
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// A client waits for the end of the first run.
    ClientWaits {
        /// Told how it ended.
        request: RequestId,
    },
    /// A client asks how the instance stands.
    Inspect {
        /// Told the state.
        request: RequestId,
    },
    /// Start nothing new.
    Pause {
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// Go on.
    Resume {
        /// Told once it is done.
        request: Option<RequestId>,
    },
    /// One page of a fan-out by tag.
    FanOutPage {
        /// After this instance.
        after: Option<InstanceId>,
    },
    /// A verb of a schedule, by its name.
    Schedule {
        /// The verb.
        verb: String,
        /// When it was said.
        at: Timestamp,
    },
    /// The record's time is over.
    RetentionDue,
    /// A worker has found the instance after a start of the process: give out again what was open.
    Recovered {
        /// The process died twice in a row: attempts are given out again one by one, each written
        /// down before it runs.
        cautious: bool,
    },
    /// In cautious recovery, it is this attempt's turn to be given out again.
    Redeliver {
        /// The task or step.
        id: CommandId,
        /// Redeliveries after which it counts as failed.
        deliveries_max: u32,
    },
    /// A turn cannot go on, and is tried again after a pause: as `TurnEnded` with `stopped`, where
    /// the worker's retry policy for turns wants another try.
    TurnFailed {
        /// Whose turn.
        run: RunNo,
        /// Why the code cannot go on.
        explanation: Box<FailureRecord>,
        /// Milliseconds until the next try.
        retry_after_ms: u64,
    },
}
