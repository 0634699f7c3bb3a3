//! Who waits for which answer, in this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use infinitic_core::{Answer, RequestId};
use tokio::sync::oneshot;

/// What comes back for a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer.
    Answer(Answer),
    /// Whoever knew of the request is gone: send it again.
    Again,
}

/// Requests without an answer.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    next: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    senders: HashMap<RequestId, oneshot::Sender<Reply>>,
    closed: bool,
}

impl Replies {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new request. Its receiver ends without a reply when the worker stops.
    pub(crate) fn register(&self) -> (RequestId, oneshot::Receiver<Reply>) {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.senders.insert(request, sender);
        }
        (request, receiver)
    }

    pub(crate) fn answer(&self, request: RequestId, answer: Answer) {
        let sender = self.lock().senders.remove(&request);
        if let Some(sender) = sender {
            // A client that gave up waiting needs no answer.
            drop(sender.send(Reply::Answer(answer)));
        }
    }

    /// Forgets a request that nobody waits for any more.
    pub(crate) fn forget(&self, request: RequestId) {
        self.lock().senders.remove(&request);
    }

    /// Lets every client ask again.
    pub(crate) fn ask_again(&self) {
        let senders = std::mem::take(&mut self.lock().senders);
        for (_, sender) in senders {
            drop(sender.send(Reply::Again));
        }
    }

    /// Ends all waits: the worker stops.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.senders.clear();
    }
}
