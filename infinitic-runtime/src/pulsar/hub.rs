//! What all readers and senders of a connection share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, watch};

use super::client::Clients;
use super::names::{Full, Life};
use super::sender::Outgoing;
use super::settings::PulsarSettings;
use super::topics::Topics;
use crate::cluster::transport::TransportCounters;

/// What all readers and senders of a connection share.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) settings: PulsarSettings,
    pub(super) clients: Clients,
    pub(super) topics: Topics,
    /// The largest payload.
    pub(super) payload_bytes_max: usize,
    pub(super) budget: Arc<Budget>,
    /// Where the sender of each topic takes its messages from.
    pub(super) senders: Mutex<HashMap<Full, mpsc::UnboundedSender<Outgoing>>>,
    /// True once the transport closes.
    pub(super) closing: watch::Sender<bool>,
    /// Held by each task; whoever closes waits until all are gone.
    pub(super) tasks: watch::Sender<()>,
    /// Held by whoever asks whether a connection lives: the library keeps one such question for
    /// each connection, and a second one makes the first fail.
    pub(super) asking: tokio::sync::Mutex<()>,
    pub(super) sent: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) received: AtomicU64,
}

impl Hub {
    pub(super) fn counters(&self) -> TransportCounters {
        TransportCounters {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Whether a topic goes when nobody reads it.
    pub(super) fn is_transient(&self, topic: &Full) -> bool {
        topic.namespace == self.topics.names.namespace(Life::Transient)
    }
}

/// What is under way to the broker, over all topics.
#[derive(Debug)]
pub(super) struct Budget {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    messages_max: usize,
    bytes_max: usize,
    freed: Notify,
}

impl Budget {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            messages_max: messages_max.max(1),
            bytes_max: bytes_max.max(1),
            freed: Notify::new(),
        })
    }

    fn has_room(&self) -> bool {
        self.messages.load(Ordering::Acquire) < self.messages_max
            && self.bytes.load(Ordering::Acquire) < self.bytes_max
    }

    /// Ends when there is room.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Counts a message until what is given back is dropped.
    pub(super) fn count(self: &Arc<Self>, bytes: usize) -> Counted {
        self.messages.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Counted {
            budget: Arc::clone(self),
            bytes,
        }
    }
}

/// A message that counts as under way.
#[derive(Debug)]
pub(super) struct Counted {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.messages.fetch_sub(1, Ordering::AcqRel);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        if self.budget.has_room() {
            self.budget.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_ends_with_messages_or_bytes_and_comes_back() {
        let budget = Budget::new(2, 100);
        let first = budget.count(10);
        budget.room().await;
        let second = budget.count(10);
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.expect("there is room");
        drop(second);
        let large = budget.count(100);
        assert!(!budget.has_room());
        drop(large);
        budget.room().await;
    }
}
