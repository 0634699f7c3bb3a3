//! The local endpoint's protocol: what clients in other processes and a worker say to each other.
//!
//! HTTP, so that tools reach it: `GET /v1/hello` names the worker, `POST /v1/ask` takes one ask and
//! answers when the worker does. Bodies are `codec` values, with a version byte. Connections are
//! HTTP/2 with prior knowledge, so that thousands of waits share one.

use infinitic_core::{Answer, InstanceId};
use serde::{Deserialize, Serialize};

use super::link::Ask;

/// Where a client finds out whom it talks to.
pub(crate) const HELLO: &str = "/v1/hello";
/// Where asks go.
pub(crate) const ASK: &str = "/v1/ask";
/// What the hello answers begin with.
pub(crate) const GREETING: &str = "infinitic";
/// Waits that one connection carries at a time.
pub(crate) const STREAMS_MAX: u32 = 10_000;
/// Largest body: the payload limit and its envelope.
pub(crate) const BODY_BYTES_MAX: usize = 65 << 20;

/// One ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) to: InstanceId,
    pub(crate) ask: Ask,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Response {
    /// The worker's answer.
    Answer(Answer),
    /// The worker is stopping: ask again when it runs.
    Stopping,
}
