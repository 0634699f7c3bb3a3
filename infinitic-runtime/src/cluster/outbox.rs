//! Packs messages to inboxes: what gathers while one packet is on its way goes together in the
//! next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic_core::{AttemptResult, InstanceId, Message};
use tokio::runtime::Handle;

use super::store::Part;
use super::transport::{SendError, Topic, Transport};
use super::wire::{PACKET_BYTES, Packet};

/// Packets to one partition that may be on their way at a time: while one is being confirmed, the
/// next may fill.
const UNDER_WAY: usize = 2;

/// Told when the broker has confirmed a message, or never will.
pub(crate) type Done = Box<dyn FnOnce(Result<(), SendError>) + Send>;

/// Messages on their way to inboxes.
pub(crate) struct Outbox {
    transport: Arc<dyn Transport>,
    handle: Handle,
    /// Whose requests are in the messages; empty for workers, which ask nothing.
    client: String,
    queues: Mutex<HashMap<Part, Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    under_way: usize,
}

struct Waiting {
    to: InstanceId,
    message: Message,
    done: Done,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    pub(crate) fn new(transport: Arc<dyn Transport>, handle: Handle, client: String) -> Arc<Self> {
        Arc::new(Self {
            transport,
            handle,
            client,
            queues: Mutex::default(),
        })
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Part, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message to the inbox of a partition.
    pub(crate) fn post(
        self: &Arc<Self>,
        part: &Part,
        to: InstanceId,
        message: Message,
        done: Done,
    ) {
        let mut queues = self.queues();
        let queue = queues.entry(part.clone()).or_default();
        queue.waiting.push_back(Waiting { to, message, done });
        if queue.under_way >= UNDER_WAY {
            return;
        }
        queue.under_way += 1;
        drop(queues);
        let (outbox, part) = (Arc::clone(self), part.clone());
        self.handle.spawn(async move { outbox.flush(part).await });
    }

    async fn flush(self: Arc<Self>, part: Part) {
        let topic = Topic::Inbox(part.clone());
        while let Some((packet, dones)) = self.pack(&part) {
            self.transport.ready().await;
            let sent = self.transport.send(&topic, packet.encode()).await;
            for done in dones {
                done(sent.clone());
            }
        }
    }

    /// The next packet; none when nothing waits, and the sending ends.
    fn pack(&self, part: &Part) -> Option<(Packet, Vec<Done>)> {
        let mut queues = self.queues();
        let queue = queues.get_mut(part)?;
        let mut messages = Vec::new();
        let mut dones = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.waiting.front() {
            let size = size_of(&next.message);
            if !messages.is_empty() && bytes + size > PACKET_BYTES {
                break;
            }
            bytes += size;
            let Some(Waiting { to, message, done }) = queue.waiting.pop_front() else {
                break;
            };
            messages.push((to, message));
            dones.push(done);
        }
        if messages.is_empty() {
            queue.under_way -= 1;
            if queue.under_way == 0 {
                queues.remove(part);
            }
            return None;
        }
        let client = self.client.clone();
        Some((Packet::Messages { client, messages }, dones))
    }
}

/// How large a message is, roughly.
fn size_of(message: &Message) -> usize {
    const SMALL: usize = 256;
    let large = match message {
        Message::Start { start, .. } => start.args.len(),
        Message::AttemptEnded {
            result: AttemptResult::Value(value),
            ..
        } => value.len(),
        _ => 0,
    };
    SMALL + large
}
