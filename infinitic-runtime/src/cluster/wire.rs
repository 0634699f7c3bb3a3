//! What workers and clients write to each other through the broker.
//!
//! Each message of the broker is one [`Packet`], a value of the codec with its version byte. Many
//! of our messages for one destination go together in a packet.

use bytes::Bytes;
use infinitic_core::codec::{self, DecodeError};
use infinitic_core::{Answer, CommandId, InstanceId, Message, RequestId, TaskAttempt};
use serde::{Deserialize, Serialize};

use crate::worker::{TurnAway, TurnDone, Which};

/// Bytes of messages after which a packet is closed and another one begun: large enough for the
/// broker to handle hundreds as one, far below the size that it refuses.
pub(crate) const PACKET_BYTES: usize = 128 << 10;

/// One message of the broker. Variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Packet {
    /// For the inbox of a partition.
    Messages {
        /// The client whose requests are in the messages; empty when there are none.
        client: String,
        /// To whom, and what.
        messages: Vec<(InstanceId, Message)>,
    },
    /// For a client: its requests and their answers.
    Answers(Vec<(RequestId, Answer)>),
    /// For the topic of a service: an attempt.
    Task(Box<TaskAttempt>),
    /// For the workers of a service: attempts that are not wanted any more.
    Cancel(Vec<(CommandId, Which)>),
    /// For the topic of a version of a workflow: a turn, or a step.
    Turn(Box<TurnAway>),
    /// For the inbox of a partition: what came of a turn.
    TurnDone(Box<TurnDone>),
}

impl Packet {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Bytes {
        codec::encode_value(self).into()
    }

    /// Reads it back.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_value(bytes)
    }
}

/// Replaces the requests in a message: each client counts its own.
pub(crate) fn map_requests(message: &mut Message, mut map: impl FnMut(RequestId) -> RequestId) {
    let mut some = |request: &mut Option<RequestId>| {
        if let Some(request) = request {
            *request = map(*request);
        }
    };
    match message {
        Message::Start { started, ended, .. } => {
            some(started);
            some(ended);
        }
        Message::Cancel { request, .. }
        | Message::RetryTurn { request, .. }
        | Message::RetryTasks { request, .. }
        | Message::CompleteTimers { request }
        | Message::CallMethod { request, .. }
        | Message::StartFrom { request, .. }
        | Message::Pause { request }
        | Message::Resume { request } => some(request),
        Message::ClientWaits { request }
        | Message::Inspect { request }
        | Message::Query { request, .. } => *request = map(*request),
        _ => {}
    }
}
