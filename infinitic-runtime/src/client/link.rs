//! How a client reaches a worker: in the same process, or over the local endpoint.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use infinitic_core::{Answer, InstanceId, Message, RequestId, Start};
use serde::{Deserialize, Serialize};

use super::error::ClientError;
use super::replies::{Replies, Reply};
use crate::clock::{Clock, draw_instance_id};
use crate::worker::{Input, Mailbox, shard_of};

/// What a client asks of an instance. Every ask may be repeated: it has the same effect once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Start it; answered when the start is durable.
    Start(Box<Start>),
    /// Start it; answered with its end.
    StartAndWait(Box<Start>),
    /// Answer with its end.
    Wait,
    /// Cancel it.
    Cancel,
    /// Try its turn again.
    RetryTurn,
    /// Start failed tasks anew.
    RetryTasks,
    /// How it stands.
    Inspect,
}

impl Ask {
    fn message(self, request: RequestId) -> Message {
        let request = Some(request);
        match self {
            Self::Start(start) => Message::Start {
                start,
                started: request,
                ended: None,
            },
            Self::StartAndWait(start) => Message::Start {
                start,
                started: None,
                ended: request,
            },
            Self::Wait => Message::ClientWaits {
                request: request.expect("set above"),
            },
            Self::Cancel => Message::Cancel { run: None, request },
            Self::RetryTurn => Message::RetryTurn { cut: None, request },
            Self::RetryTasks => Message::RetryTasks { cut: None, request },
            Self::Inspect => Message::Inspect {
                request: request.expect("set above"),
            },
        }
    }

    fn is_start(&self) -> bool {
        matches!(self, Self::Start(_) | Self::StartAndWait(_))
    }
}

/// The request that a message answers to.
pub(crate) fn request_of(message: &Message) -> Option<RequestId> {
    match message {
        Message::Start { started, ended, .. } => started.or(*ended),
        Message::ClientWaits { request } | Message::Inspect { request } => Some(*request),
        Message::Cancel { request, .. }
        | Message::RetryTurn { request, .. }
        | Message::RetryTasks { request, .. } => *request,
        _ => None,
    }
}

/// An answer on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, ClientError>> + Send>>;

/// A way to a worker.
pub(crate) trait Link: Send + Sync + fmt::Debug {
    /// Sends what is asked at once, and answers when the worker does. Dropping the answer forgets it.
    fn ask(&self, to: InstanceId, ask: Ask) -> Answering;

    /// A new instance id.
    fn draw_id(&self) -> InstanceId;
}

/// The way to a worker in the same process.
#[derive(Debug)]
pub(crate) struct LocalLink {
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LocalLink {
    fn send(&self, to: InstanceId, ask: Ask, first: bool) -> Waiting {
        // Only this link draws ids, so the first message with one finds no rows.
        let fresh = first && ask.is_start();
        let (request, receiver) = self.replies.register();
        let message = ask.message(request);
        let shard = shard_of(to, self.mailboxes.len());
        self.mailboxes[shard].push(Input::Message { to, message, fresh });
        Waiting {
            replies: Arc::clone(&self.replies),
            request,
            receiver,
        }
    }
}

struct Waiting {
    replies: Arc<Replies>,
    request: RequestId,
    receiver: tokio::sync::oneshot::Receiver<Reply>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.replies.forget(self.request);
    }
}

impl LocalLink {
    /// Asks for an id that may have been used before.
    pub(crate) fn ask_known(self: &Arc<Self>, to: InstanceId, ask: Ask) -> Answering {
        self.ask_first(to, ask, false)
    }

    fn ask_first(self: &Arc<Self>, to: InstanceId, ask: Ask, fresh: bool) -> Answering {
        let link = Arc::clone(self);
        let mut waiting = link.send(to, ask.clone(), fresh);
        Box::pin(async move {
            loop {
                match (&mut waiting.receiver).await {
                    Ok(Reply::Answer(answer)) => return Ok(answer),
                    Ok(Reply::Again) => waiting = link.send(to, ask.clone(), false),
                    Err(_) => return Err(ClientError::Closed),
                }
            }
        })
    }
}

impl Link for Arc<LocalLink> {
    fn ask(&self, to: InstanceId, ask: Ask) -> Answering {
        self.ask_first(to, ask, true)
    }

    fn draw_id(&self) -> InstanceId {
        draw_instance_id(self.clock.now())
    }
}
