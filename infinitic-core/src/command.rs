//! What workflow code asks for, by its place in the run that asks.
//!
//! The list is complete from the start, so that stored bytes keep their meaning when features
//! arrive; variants are only ever added at the end.

use serde::{Deserialize, Serialize};

use crate::codec::nesting;
use crate::failure::FailureRecord;
use crate::ids::{InstanceId, Position};
use crate::names::{
    ChannelName, MethodName, PatchName, PropertyName, ServiceName, StepName, TaskName, WorkflowName,
};
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a caller says about a call beside its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallOptions {
    /// Labels, visible in the task's context and in events.
    pub tags: Vec<String>,
    /// Free key and value pairs.
    pub meta: Vec<(String, String)>,
    /// Limit over queueing, every attempt and transport, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Which items may share a batch.
    pub batch_key: Option<String>,
}

/// Which running instances a command addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// One, by its id.
    Id(InstanceId),
    /// All that carry a tag.
    Tag(String),
}

/// What a run ended with.
pub type RunResult = Result<Payload, Box<FailureRecord>>;

/// One thing that workflow code asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Call a task of a service.
    CallTask {
        /// The service.
        service: ServiceName,
        /// Its task.
        task: TaskName,
        /// The arguments, a JSON array.
        args: Payload,
        /// Tags, meta, limits.
        options: CallOptions,
    },
    /// Start another instance, and wait for its result.
    StartChild {
        /// The workflow.
        workflow: WorkflowName,
        /// The method that starts it.
        method: MethodName,
        /// The arguments, a JSON array.
        args: Payload,
        /// Tags, meta, limits.
        options: CallOptions,
        /// Claim to be the only live instance of this name.
        custom_id: Option<String>,
        /// Lives on when this instance is cancelled.
        detached: bool,
    },
    /// Call a method of other instances.
    CallMethod {
        /// Their workflow.
        workflow: WorkflowName,
        /// Which ones.
        target: Target,
        /// The method.
        method: MethodName,
        /// The arguments, a JSON array.
        args: Payload,
        /// Limits.
        options: CallOptions,
    },
    /// Send a signal to a channel of other instances.
    SendSignal {
        /// Their workflow.
        workflow: WorkflowName,
        /// Which ones.
        target: Target,
        /// The channel.
        channel: ChannelName,
        /// The signal.
        value: Payload,
    },
    /// Wait for a point in time.
    StartTimer {
        /// When the wait ends.
        due: Timestamp,
    },
    /// Listen to a channel from here on.
    OpenReceive {
        /// The channel.
        channel: ChannelName,
        /// How many signals it takes at most.
        limit: Option<u32>,
        /// JSONPath that signals must match.
        filter: Option<String>,
    },
    /// A value computed in the turn itself, recorded.
    Inline {
        /// The value.
        value: Payload,
    },
    /// A side effect that the workflow's own worker runs outside the turn, recorded.
    Step {
        /// Its name.
        name: StepName,
    },
    /// Give a property a new value.
    SetProperty {
        /// The property.
        name: PropertyName,
        /// Its value.
        value: Payload,
    },
    /// Cancel what an earlier command asked for.
    Cancel {
        /// The earlier command's place.
        position: Position,
    },
    /// Remember a call to make if the run fails.
    RegisterCompensation {
        /// The call.
        #[serde(deserialize_with = "nesting::deserialize")]
        call: Box<Self>,
    },
    /// A marker that a changed piece of code leaves in the history.
    Patch {
        /// Its name.
        name: PatchName,
    },
    /// End this run and start the method again with a fresh history.
    ContinueWith {
        /// The new arguments, a JSON array.
        args: Payload,
    },
    /// The run ended. Stored as the entry `RunEnded`.
    End {
        /// Its value or failure.
        result: RunResult,
    },
}

impl Command {
    /// The command in a few words, as error messages and histories show it: its kind, and what it
    /// names. Two commands that describe alike may stand for each other on replay.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::CallTask { service, task, .. } => format!("call of task `{service}.{task}`"),
            Self::StartChild {
                workflow, method, ..
            } => {
                format!("start of child `{workflow}.{method}`")
            }
            Self::CallMethod {
                workflow, method, ..
            } => {
                format!("call of method `{workflow}.{method}`")
            }
            Self::SendSignal {
                workflow, channel, ..
            } => {
                format!("signal to `{workflow}.{channel}`")
            }
            Self::StartTimer { .. } => "timer".to_owned(),
            Self::OpenReceive { channel, .. } => format!("receive on channel `{channel}`"),
            Self::Inline { .. } => "inline value".to_owned(),
            Self::Step { name } => format!("step `{name}`"),
            Self::SetProperty { name, .. } => format!("change of property `{name}`"),
            Self::Cancel { position } => format!("cancel of command {position}"),
            Self::RegisterCompensation { call } => format!("compensation by {}", call.describe()),
            Self::Patch { name } => format!("patch marker `{name}`"),
            Self::ContinueWith { .. } => "continue with new arguments".to_owned(),
            Self::End { .. } => "end of the method".to_owned(),
        }
    }

    /// The place of the command that this one cancels.
    #[must_use]
    pub fn cancels(&self) -> Option<Position> {
        if let Self::Cancel { position } = self {
            return Some(*position);
        }
        None
    }

    /// Whether `self`, asked on replay, may stand for the recorded `other`: the same kind of
    /// command naming the same things. Arguments and times may differ (change check *simple*).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::CallTask {
                    service: a,
                    task: b,
                    ..
                },
                Self::CallTask {
                    service: c,
                    task: d,
                    ..
                },
            ) => a == c && b == d,
            (Self::Step { name: a }, Self::Step { name: b }) => a == b,
            (Self::SetProperty { name: a, .. }, Self::SetProperty { name: b, .. }) => a == b,
            (Self::Cancel { position: a }, Self::Cancel { position: b }) => a == b,
            (Self::StartTimer { .. }, Self::StartTimer { .. })
            | (Self::Inline { .. }, Self::Inline { .. }) => true,
            (a, b) => {
                std::mem::discriminant(a) == std::mem::discriminant(b)
                    && a.describe() == b.describe()
            }
        }
    }
}
