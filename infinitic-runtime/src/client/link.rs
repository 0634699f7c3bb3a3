//! How a client reaches a worker: in the same process, or over the local endpoint.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use infinitic_core::names::WorkflowName;
use infinitic_core::{Answer, InstanceId, Message, RequestId, Start};
use serde::{Deserialize, Serialize};

use super::error::ClientError;
use super::replies::{Replies, Reply};
use crate::clock::{Clock, draw_instance_id};
use crate::cluster::transport::DeadLetter;
use crate::mailbox::{Input, Mailbox, shard_of};

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
    pub(crate) fn message(self, request: RequestId) -> Message {
        let some = Some(request);
        match self {
            Self::Start(start) => Message::Start {
                start,
                started: some,
                ended: None,
            },
            Self::StartAndWait(start) => Message::Start {
                start,
                started: None,
                ended: some,
            },
            Self::Wait => Message::ClientWaits { request },
            Self::Cancel => Message::Cancel {
                run: None,
                request: some,
            },
            Self::RetryTurn => Message::RetryTurn {
                cut: None,
                request: some,
            },
            Self::RetryTasks => Message::RetryTasks {
                cut: None,
                request: some,
            },
            Self::Inspect => Message::Inspect { request },
        }
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
    /// Sends what is asked at once, and answers when the worker does. Dropping the answer forgets
    /// it.
    fn ask(&self, to: Target, ask: Ask) -> Answering;

    /// The same for a start of an instance whose id is drawn for it, here and now: nothing that is
    /// stored can be about it, so nobody needs to look.
    fn ask_new(&self, workflow: &WorkflowName, ask: Ask) -> (InstanceId, Answering);

    /// A new instance id.
    fn draw_id(&self) -> InstanceId;

    /// Messages that were set aside; none where there is no broker.
    fn dead_letters(
        &self,
        _limit: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<DeadLetter>, ClientError>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Sends a message that was set aside to where it was meant to go; false when there is none.
    fn redrive(
        &self,
        _id: String,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ClientError>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

/// An instance, and its workflow's name if that is known.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: InstanceId,
    pub(crate) workflow: Option<WorkflowName>,
}

/// The way to a worker in the same process.
#[derive(Debug)]
pub(crate) struct LocalLink {
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LocalLink {
    fn send(&self, to: InstanceId, ask: Ask, fresh: bool) -> Waiting {
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

/// Sends at once; sends again when the one who knew of the request is gone. `fresh` is true at most
/// for the first time.
fn answering(link: Arc<LocalLink>, to: InstanceId, ask: Ask, fresh: bool) -> Answering {
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

impl Link for Arc<LocalLink> {
    fn ask(&self, to: Target, ask: Ask) -> Answering {
        answering(Self::clone(self), to.id, ask, false)
    }

    fn ask_new(&self, _: &WorkflowName, ask: Ask) -> (InstanceId, Answering) {
        let id = self.draw_id();
        (id, answering(Self::clone(self), id, ask, true))
    }

    fn draw_id(&self) -> InstanceId {
        draw_instance_id(self.clock.now())
    }
}
