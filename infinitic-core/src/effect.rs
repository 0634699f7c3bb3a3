//! What the engine asks of the world: a closed list.
//!
//! Nothing of it leaves before the entries of the same step are durable.

use serde::{Deserialize, Serialize};

use crate::command::{CallOptions, RunResult};
use crate::failure::FailureRecord;
use crate::ids::{Attempt, CommandId, InstanceId, Position, RequestId, RunNo, Sequence};
use crate::instance::Status;
use crate::message::TimerKey;
use crate::names::{ServiceName, StepName, TaskName, WorkflowName};
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::time::Timestamp;

/// One attempt of a task, with all that its worker must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAttempt {
    /// The task; says where the outcome goes.
    pub id: CommandId,
    /// How often it was started anew by hand.
    pub sequence: Sequence,
    /// Number of this attempt in the sequence, from 0.
    pub attempt: Attempt,
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub task: TaskName,
    /// The arguments, a JSON array.
    pub args: Payload,
    /// Tags, batch key, and meta as earlier attempts have left it.
    pub options: CallOptions,
    /// The workflow that called it.
    pub workflow: WorkflowName,
    /// How the previous attempt failed.
    pub last_failure: Option<Box<FailureRecord>>,
    /// The failures of all earlier attempts in words, oldest first.
    pub previous: Vec<String>,
}

/// One attempt of a step: run by the worker that holds the live future.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAttempt {
    /// The step; says where the outcome goes.
    pub id: CommandId,
    /// How often it was started anew by hand.
    pub sequence: Sequence,
    /// Number of this attempt, from 0.
    pub attempt: Attempt,
    /// Its name.
    pub name: StepName,
    /// The workflow it belongs to.
    pub workflow: WorkflowName,
    /// The failures of all earlier attempts in words, oldest first.
    pub previous: Vec<String>,
    /// Key and value pairs that earlier attempts have left.
    pub meta: Vec<(String, String)>,
}

/// How an instance stands, for the one who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Its id.
    pub id: InstanceId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// The version of its code.
    pub version: u32,
    /// Its status.
    pub status: Status,
    /// Labels.
    pub tags: Vec<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Why its code stands still, if it does.
    pub stopped: Option<Box<FailureRecord>>,
    /// What it waits for, in words.
    pub waits: Vec<String>,
}

/// What is told to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The start is durable; `existing` when the instance was there before.
    Started {
        /// Whether there was one already.
        existing: bool,
    },
    /// The first run ended.
    Ended(RunResult),
    /// What was asked is done.
    Done,
    /// The instance's state.
    State(Box<InstanceState>),
    /// What was asked cannot be done, and why.
    Refused(Box<FailureRecord>),
}

/// Something the engine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run workflow code: from its beginning, or on with an outcome. Answered by `TurnEnded`.
    RunTurn {
        /// Whose turn.
        run: RunNo,
        /// What the code is told; nothing at its first turn and when it is replayed after a stop.
        delivery: Option<(Position, Outcome, Timestamp)>,
        /// The live future, if there is one, must not be used.
        replay: bool,
    },
    /// Drop the live future of a run: it ended by something else than its own code.
    DropRun {
        /// The run.
        run: RunNo,
    },
    /// Give out an attempt of a task.
    DispatchTask(Box<TaskAttempt>),
    /// An attempt was running when the process died, and may have been the reason: send `Redeliver`
    /// for it when few other suspects run, or none.
    Suspect {
        /// The task or step.
        id: CommandId,
    },
    /// Run an attempt of a step.
    RunStep(Box<StepAttempt>),
    /// The attempt is no longer wanted.
    CancelAttempt {
        /// The task or step.
        id: CommandId,
        /// The sequence to which the attempt belongs.
        sequence: Sequence,
        /// Its number; older ones are not wanted either.
        attempt: Attempt,
        /// The task's service; none for a step.
        service: Option<ServiceName>,
    },
    /// Ring at a time.
    ArmTimer {
        /// Which timer.
        timer: TimerKey,
        /// When.
        due: Timestamp,
    },
    /// Do not ring.
    DropTimer {
        /// Which timer.
        timer: TimerKey,
        /// For when it was armed.
        due: Timestamp,
    },
    /// Tell a client.
    Answer {
        /// Which wait.
        request: RequestId,
        /// What.
        answer: Answer,
    },
    /// Nothing is left to do: keep the record for the retention time.
    EndInstance,
    /// The instance's record is live again. The first of all effects: a turn may commit before it
    /// runs, and what is open must be listed by then.
    ReopenInstance,
}
