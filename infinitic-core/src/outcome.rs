//! How a wait ended. Outcomes are recorded, and delivered to workflow code one at a time in
//! recorded order.

use serde::{Deserialize, Serialize};

use crate::failure::FailureRecord;
use crate::ids::InstanceId;
use crate::names::PropertyName;
use crate::payload::Payload;

/// How what a command asked for ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With a value.
    Value(Payload),
    /// With a failure.
    Failed(Box<FailureRecord>),
    /// The caller's limit ran out first.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// There is no instance of that id.
    UnknownInstance,
    /// The start was refused, with the reason.
    StartRefused(String),
    /// The start attached to an instance that was already there.
    Attached(InstanceId),
    /// The timer is due.
    Due,
    /// A signal came.
    Signal(Payload),
    /// Another run changed properties; their numbers of changes.
    PropertiesChanged(Vec<(PropertyName, u64)>),
}
