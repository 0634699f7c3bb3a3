//! How something failed, as it is recorded: plain data that survives replay, restarts and the wire.
//!
//! The typed view that users meet (`Failure<E>`) is built upon it in the runtime.

use serde::{Deserialize, Serialize};

use crate::codec::nesting;
use crate::ids::{InstanceId, TaskId};
use crate::names::{ServiceName, TaskName, WorkflowName};
use crate::payload::Payload;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureKind {
    /// User code returned `Err`.
    Failed,
    /// A time limit ran out.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// User code panicked.
    Panicked,
    /// A value could not be decoded as the type that was asked for, or not be encoded.
    Undecodable,
    /// There is no such instance, or its record is gone.
    UnknownInstance,
    /// The request was refused as it stands.
    Refused,
    /// The process died during each of the attempts that are allowed.
    Crashed,
    /// Workflow code stands still until it is mended: it panicked or no longer matches its history.
    Stopped,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A task of a service.
    Task {
        /// The task's id.
        id: TaskId,
        /// Its service.
        service: ServiceName,
        /// Its name.
        task: TaskName,
        /// The worker that made the last attempt.
        worker: String,
        /// Attempts made, over all sequences since the last manual retry.
        attempts: u32,
    },
    /// A step of a workflow.
    Step {
        /// The step's id.
        id: TaskId,
        /// Its name.
        name: String,
        /// Attempts made.
        attempts: u32,
    },
    /// A workflow instance.
    Instance {
        /// The instance's id.
        id: InstanceId,
        /// Its workflow.
        workflow: WorkflowName,
    },
}

/// A failure as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// What kind of failure.
    pub kind: FailureKind,
    /// Type name of the error, without its path; empty where there is no error value.
    pub name: String,
    /// The error in words.
    pub message: String,
    /// The error's own value, when its type travels typed.
    pub error: Option<Payload>,
    /// What `std::error::Error::source` told, outermost first, in words.
    pub sources: Vec<String>,
    /// What failed, when it is known.
    pub origin: Option<Origin>,
    /// The failure that led to this one: of a task, seen by the workflow that failed by it.
    #[serde(serialize_with = "nesting::serialize_cut")]
    #[serde(deserialize_with = "nesting::deserialize")]
    pub cause: Option<Box<Self>>,
    /// Where a panic happened, and the backtrace if there was one.
    pub backtrace: Option<String>,
    /// The failures of earlier attempts, oldest first, in words.
    pub previous: Vec<String>,
}

impl FailureRecord {
    /// A failure of a kind, in words, with nothing else known.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            name: String::new(),
            message: message.into(),
            error: None,
            sources: Vec::new(),
            origin: None,
            cause: None,
            backtrace: None,
            previous: Vec::new(),
        }
    }

    /// The same, with what failed.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }
}
