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
use crate::mailbox::{Input, Mailbox, Room, shard_of};

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

    /// Waits until a start would find room, unless others take it meanwhile.
    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

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

impl Target {
    /// The target of an ask, which may tell the workflow.
    pub(crate) fn of(id: InstanceId, ask: &Ask) -> Self {
        let workflow = match ask {
            Ask::Start(start) | Ask::StartAndWait(start) => Some(start.workflow.clone()),
            Ask::Wait | Ask::Cancel | Ask::RetryTurn | Ask::RetryTasks | Ask::Inspect => None,
        };
        Self { id, workflow }
    }
}

/// The way to a worker in the same process.
#[derive(Debug)]
pub(crate) struct LocalLink {
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl LocalLink {
    fn mailbox(&self, to: InstanceId) -> &Mailbox {
        &self.mailboxes[shard_of(to, self.mailboxes.len())]
    }

    fn send(&self, to: InstanceId, ask: Ask, fresh: bool, room: Option<Room>) -> Waiting {
        let (request, receiver) = self.replies.register();
        let message = ask.message(request);
        self.mailbox(to).push(Input::Message {
            to,
            message,
            fresh,
            room,
        });
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

/// Sends at once, but for a start that finds no room: that one waits for it when it is polled.
/// Sends again when the one who knew of the request is gone. `fresh` is true at most for the first
/// time.
fn answering(link: Arc<LocalLink>, to: InstanceId, ask: Ask, fresh: bool) -> Answering {
    let is_start = matches!(ask, Ask::Start(_) | Ask::StartAndWait(_));
    let room = is_start.then(|| link.mailbox(to).try_room());
    let sent = match room {
        Some(None) => None,
        room => Some(link.send(to, ask.clone(), fresh, room.flatten())),
    };
    Box::pin(async move {
        let mut waiting = match sent {
            Some(waiting) => waiting,
            None => {
                let room = link.mailbox(to).room().await;
                let room = room.map_err(|_| ClientError::Closed)?;
                link.send(to, ask.clone(), fresh, Some(room))
            }
        };
        loop {
            match (&mut waiting.receiver).await {
                Ok(Reply::Answer(answer)) => return Ok(answer),
                // Without room: there are no more of these than had room before.
                Ok(Reply::Again) => waiting = link.send(to, ask.clone(), false, None),
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

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // Which of them a start goes to is drawn with its id.
            for mailbox in &self.mailboxes {
                if mailbox.try_room().is_none() {
                    mailbox.room().await.ok();
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use infinitic_core::Payload;
    use infinitic_core::names::MethodName;

    use super::*;
    use crate::clock::SystemClock;
    use crate::mailbox::{STARTS_MAX, Taken};

    fn link() -> Arc<LocalLink> {
        Arc::new(LocalLink {
            mailboxes: vec![Arc::default()],
            replies: Arc::default(),
            clock: Arc::new(SystemClock),
        })
    }

    fn start() -> Ask {
        Ask::Start(Box::new(Start {
            workflow: WorkflowName::known("Orders"),
            version: None,
            method: MethodName::known("start"),
            args: Payload::from_json("[]"),
            tags: Vec::new(),
            meta: Vec::new(),
            custom_id: None,
        }))
    }

    fn ask(link: &Arc<LocalLink>, ask: Ask) -> Answering {
        link.ask_new(&WorkflowName::known("Orders"), ask).1
    }

    /// Polls once; it never ends here.
    fn poll<F: Future + Unpin>(future: &mut F) {
        let polled = Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    /// What one round takes, which is over by then.
    fn round(link: &Arc<LocalLink>) -> usize {
        let Taken::Round(round) = link.mailboxes[0].take(0, Duration::ZERO) else {
            panic!("it is neither closed nor given up");
        };
        round.len()
    }

    #[test]
    fn starts_beyond_the_bound_wait_and_others_do_not() {
        let link = link();
        let mut asked: Vec<_> = (0..STARTS_MAX + 3).map(|_| ask(&link, start())).collect();
        asked.iter_mut().for_each(poll);
        let mut room = link.room();
        poll(&mut room);
        let mut others = [ask(&link, Ask::Inspect), ask(&link, Ask::Cancel)];
        others.iter_mut().for_each(poll);
        let mut taken = 0;
        while let count @ 1.. = round(&link) {
            taken += count;
        }
        assert_eq!(taken, STARTS_MAX + 2);
        // Those that waited find room now, in their order.
        asked.iter_mut().for_each(poll);
        assert_eq!(round(&link), 3);
        let polled = room.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(()));
    }

    #[test]
    fn starts_that_wait_are_told_when_the_worker_stops() {
        let link = link();
        let mut asked: Vec<_> = (0..=STARTS_MAX).map(|_| ask(&link, start())).collect();
        asked.iter_mut().for_each(poll);
        link.mailboxes[0].close();
        let mut last = asked.pop().unwrap();
        let polled = last.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(ClientError::Closed))));
    }
}
