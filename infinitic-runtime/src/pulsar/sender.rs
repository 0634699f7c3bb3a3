//! Sends to one topic: in order, many under way at once, each until the broker has it.
//!
//! A sender is a task with a producer of its own. When anything goes wrong it drops the producer,
//! makes another one, and sends again all that has no receipt, in order; for ever. So a message may
//! arrive twice, but none before one that was sent earlier.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use pulsar::producer::{Message, SendFuture};
use pulsar::{Producer, TokioExecutor};
use tokio::sync::{mpsc, oneshot};

use super::backoff::{Backoff, pause};
use super::client::{Fault, fault};
use super::hub::{Counted, Hub};
use super::names::Full;
use crate::cluster::store::Pending;
use crate::cluster::transport::{SendError, TransportError};

/// Messages of one topic that the library has and the broker has not confirmed.
const UNDER_WAY: usize = 1_000;

/// The same in bytes: the library keeps a copy of each.
const UNDER_WAY_BYTES: usize = 16 * 1024 * 1024;

/// A sender of a lasting topic ends after so long without a message.
const IDLE: Duration = Duration::from_secs(600);

/// A sender of a transient one: it keeps the topic alive, and there are many.
const IDLE_TRANSIENT: Duration = Duration::from_secs(30);

/// How long a closing transport still tries to get its messages to the broker.
const CLOSING: Duration = Duration::from_secs(10);

/// A message for a topic.
#[derive(Debug)]
pub(super) struct Outgoing {
    payload: Bytes,
    properties: HashMap<String, String>,
    receipt: oneshot::Sender<()>,
    _counted: Counted,
}

/// Hands a message to the sender of its topic, in order with others.
pub(super) fn send(
    hub: &Arc<Hub>,
    to: Full,
    payload: Bytes,
    properties: HashMap<String, String>,
) -> Pending<'static, Result<(), SendError>> {
    if payload.len() > hub.payload_bytes_max {
        let error = SendError::TooLarge {
            bytes: payload.len(),
            max: hub.payload_bytes_max,
        };
        return Box::pin(async move { Err(error) });
    }
    if hub.is_closing() {
        return Box::pin(async { Err(SendError::Closed) });
    }
    hub.sent.fetch_add(1, Ordering::Relaxed);
    let bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    hub.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    let (receipt, received) = oneshot::channel();
    let outgoing = Outgoing {
        _counted: hub.budget.count(payload.len()),
        payload,
        properties,
        receipt,
    };
    let mut senders = hub.senders.lock().expect("no holder of this lock panics");
    let sender = senders.entry(to.clone()).or_insert_with(|| begin(hub, to));
    // A sender that ends takes itself out under this lock, and only with nothing left to do.
    let _ = sender.send(outgoing);
    drop(senders);
    Box::pin(async move { received.await.map_err(|_| SendError::Closed) })
}

fn begin(hub: &Arc<Hub>, to: Full) -> mpsc::UnboundedSender<Outgoing> {
    let (sender, messages) = mpsc::unbounded_channel();
    let task = Sender {
        hub: Arc::clone(hub),
        transient: hub.is_transient(&to),
        url: to.url(),
        to,
        messages,
        pending: VecDeque::new(),
        backoff: Backoff::for_broker(),
    };
    let alive = hub.tasks.subscribe();
    tokio::spawn(async move {
        let _alive = alive;
        let mut closing = task.hub.closing.subscribe();
        let give_up = async move {
            let _ = closing.wait_for(|closing| *closing).await;
            pause(CLOSING).await;
        };
        tokio::select! {
            () = task.run() => {}
            () = give_up => {}
        }
    });
    sender
}

/// Why a producer is used no longer.
enum End {
    /// There is nothing to do, and has not been for long.
    Idle,
    /// It broke.
    Broken(Fault),
    /// The transport closes, and all is sent.
    Closed,
}

struct Sender {
    hub: Arc<Hub>,
    to: Full,
    url: String,
    transient: bool,
    messages: mpsc::UnboundedReceiver<Outgoing>,
    /// Without a receipt, in order.
    pending: VecDeque<Outgoing>,
    backoff: Backoff,
}

impl Sender {
    async fn run(mut self) {
        loop {
            let end = match self.connect().await {
                Ok(mut producer) => Box::pin(self.pump(&mut producer)).await,
                Err(fault) => End::Broken(fault),
            };
            match end {
                End::Closed => return,
                End::Idle => {
                    if self.leave() {
                        return;
                    }
                }
                End::Broken(Fault::NoTopic) if self.transient => self.drop_all(),
                End::Broken(fault) => {
                    if matches!(fault, Fault::NoTopic) {
                        self.hub.topics.forget(&self.to);
                    }
                    self.tell(&fault);
                    self.backoff.wait().await;
                }
            }
        }
    }

    fn tell(&mut self, fault: &Fault) {
        if self.backoff.tell() {
            let (topic, waiting) = (&self.url, self.pending.len() + self.messages.len());
            tracing::warn!(%topic, waiting, %fault, "cannot send to Pulsar; trying again");
        }
    }

    /// Nobody reads the topic: what is sent to it is for nobody.
    fn drop_all(&mut self) {
        while let Ok(outgoing) = self.messages.try_recv() {
            self.pending.push_back(outgoing);
        }
        for outgoing in self.pending.drain(..) {
            let _ = outgoing.receipt.send(());
        }
    }

    /// Takes itself out, unless there is something to send again. True when it did.
    fn leave(&mut self) -> bool {
        let mut senders = self
            .hub
            .senders
            .lock()
            .expect("no holder of this lock panics");
        let free = self.messages.is_empty();
        if free {
            senders.remove(&self.to);
        }
        free
    }

    /// A producer, once there is something to send. Waits for that first, so that a sender whose
    /// topic is gone does not ask for it again and again.
    async fn connect(&mut self) -> Result<Producer<TokioExecutor>, Fault> {
        if self.pending.is_empty()
            && let Some(outgoing) = self.messages.recv().await
        {
            self.pending.push_back(outgoing);
        }
        if !self.transient {
            self.hub
                .topics
                .ensure(&self.to)
                .await
                .map_err(|error| match error {
                    TransportError::Unavailable(text) => Fault::Trouble(text),
                    TransportError::Refused(text) => Fault::Refused(text),
                })?;
        }
        self.hub.clients.producer(&self.url).await
    }

    /// Sends until something is wrong or there is nothing to do.
    #[expect(
        clippy::large_futures,
        reason = "the library's; this one is on the heap, and a box for each message costs more"
    )]
    async fn pump(&mut self, producer: &mut Producer<TokioExecutor>) -> End {
        let mut receipts: VecDeque<SendFuture> = VecDeque::new();
        let mut bytes = 0;
        let mut came = Vec::new();
        let mut closing = self.hub.closing.subscribe();
        loop {
            while receipts.len() < UNDER_WAY
                && bytes < UNDER_WAY_BYTES
                && let Some(outgoing) = self.pending.get(receipts.len())
            {
                let message = Message {
                    payload: outgoing.payload.to_vec(),
                    properties: outgoing.properties.clone(),
                    ..Message::default()
                };
                bytes += outgoing.payload.len();
                match producer.send_non_blocking(message).await {
                    Ok(receipt) => receipts.push_back(receipt),
                    Err(error) => return End::Broken(fault(&error)),
                }
            }
            let idle = self.pending.is_empty();
            if idle && *closing.borrow() && self.messages.is_empty() {
                return End::Closed;
            }
            let longest = if self.transient { IDLE_TRANSIENT } else { IDLE };
            tokio::select! {
                biased;
                receipt = first(&mut receipts), if !receipts.is_empty() => {
                    if let Err(error) = receipt {
                        return End::Broken(fault(&error));
                    }
                    receipts.pop_front();
                    let done = self.pending.pop_front().expect("each receipt has its message");
                    bytes -= done.payload.len();
                    let _ = done.receipt.send(());
                    self.works();
                }
                more = self.messages.recv_many(&mut came, 256), if receipts.len() < UNDER_WAY => {
                    if more == 0 {
                        return End::Closed;
                    }
                    self.pending.extend(came.drain(..));
                }
                () = pause(longest), if idle => return End::Idle,
                _ = closing.changed(), if !*closing.borrow_and_update() => {}
            }
        }
    }

    fn works(&mut self) {
        if self.backoff.reset() {
            tracing::info!(topic = %self.url, "sending to Pulsar works again");
        }
    }
}

async fn first(receipts: &mut VecDeque<SendFuture>) -> Result<(), pulsar::Error> {
    match receipts.front_mut() {
        Some(receipt) => receipt.await.map(|_| ()),
        None => std::future::pending().await,
    }
}
