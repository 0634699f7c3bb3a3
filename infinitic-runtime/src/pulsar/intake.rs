//! Reads one topic: a task that owns the consumer, and makes another one whenever anything is wrong
//! with it.
//!
//! The library's consumer may end, may fail once and then stay silent, and forgets
//! acknowledgements when its connection breaks. So: an error or an end is the end of the consumer;
//! one that is silent for long is asked whether it lives; acknowledgements of messages that are
//! given out outlive the consumer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use pulsar::proto::MessageIdData;
use tokio::sync::{mpsc, oneshot, watch};

use super::backoff::{Backoff, pause};
use super::client::{Bytewise, Fault, ITS_TOPIC, fault};
use super::held::{Came, Held};
use super::hub::Hub;
use super::reader::Command;
use super::subscription::Subscription;
use crate::clock;
use crate::cluster::transport::{Delivery, Reading};

/// A consumer that was silent for so long is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(30);

/// A question whether it lives is given up after so long.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a reader that closes waits until the broker has its acknowledgements.
const BARRIER: Duration = Duration::from_secs(5);

/// How long a full reader of a shared topic keeps what it cannot give out, at first. Each time it
/// gets something again, it keeps it twice as long: the others seem to be full as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// At last.
const PATIENCE_MAX: Duration = Duration::from_secs(30);

/// Messages that are taken from the library without looking at anything else.
const AT_ONCE: usize = 64;

/// The reader shall end.
struct Close(Option<oneshot::Sender<()>>);

/// Why a consumer is used no longer.
enum End {
    Broken(Fault),
    Close(Close),
}

/// Reads one topic.
pub(super) struct Task {
    hub: Arc<Hub>,
    subscription: Subscription,
    /// Whether the topic goes with this reader.
    deletes: bool,
    /// Whether messages are acknowledged as they come.
    all: bool,
    held: Held,
    deliver: mpsc::UnboundedSender<Delivery>,
    orders: mpsc::UnboundedReceiver<Command>,
    closing: watch::Receiver<bool>,
    /// Messages in the queue, of a reader that acknowledges nothing.
    queued: usize,
    /// The last message, of a reader without a memory in the broker.
    last: Option<MessageIdData>,
    /// Messages that are given back, but not yet.
    returning: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Acknowledgements for the next consumer.
    unsent: VecDeque<MessageIdData>,
    backoff: Backoff,
}

impl Task {
    pub(super) fn new(
        hub: Arc<Hub>,
        subscription: Subscription,
        deletes: bool,
        deliver: mpsc::UnboundedSender<Delivery>,
        orders: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            held: Held::new(subscription.window),
            all: subscription.reading == Reading::All,
            closing: hub.closing.subscribe(),
            hub,
            subscription,
            deletes,
            deliver,
            orders,
            queued: 0,
            last: None,
            returning: BinaryHeap::new(),
            unsent: VecDeque::new(),
            backoff: Backoff::for_broker(),
        }
    }

    /// Reads until it is told to close.
    pub(super) async fn run(mut self, first: Bytewise) {
        let mut consumer = first;
        let close = loop {
            match self.serve(&mut consumer).await {
                End::Close(close) => {
                    barrier(&self.hub, &mut consumer).await;
                    drop(consumer);
                    break close;
                }
                End::Broken(fault) => self.tell(&fault),
            }
            drop(consumer);
            match self.rebuild().await {
                Ok(next) => consumer = next,
                Err(close) => break close,
            }
        };
        if self.deletes
            && let Err(error) = self.hub.topics.delete(&self.subscription.topic).await
        {
            // Its time will come: a transient topic that nobody reads is deleted by the broker.
            tracing::debug!(%error, "a topic outlives its reader");
        }
        if let Close(Some(done)) = close {
            let _ = done.send(());
        }
    }

    fn tell(&mut self, fault: &Fault) {
        if self.backoff.tell() {
            let topic = self.subscription.topic.url();
            tracing::warn!(%topic, %fault, "cannot read from Pulsar; trying again");
        }
    }

    /// Another consumer, however long it takes.
    async fn rebuild(&mut self) -> Result<Bytewise, Close> {
        loop {
            let time = self.backoff.draw();
            self.meanwhile(pause(time)).await?;
            let (hub, subscription) = (Arc::clone(&self.hub), self.subscription.clone());
            let after = self.last.clone();
            let open = async move { subscription.open(&hub, after).await };
            match self.meanwhile(open).await? {
                Ok(consumer) => return Ok(consumer),
                Err(fault) => self.tell(&fault),
            }
        }
    }

    /// Waits for something that is not the consumer, which is none.
    async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Close> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                answer = &mut future => return Ok(answer),
                order = self.orders.recv() => {
                    let order = order.unwrap_or(Command::Close(None));
                    self.obey(order, &mut Vec::new())?;
                }
                () = closed(&mut self.closing) => return Err(Close(None)),
            }
        }
    }

    /// Does what an order says; what the broker must be asked for again goes to `again`.
    fn obey(&mut self, order: Command, again: &mut Vec<MessageIdData>) -> Result<(), Close> {
        match order {
            Command::Acknowledge(tags) => {
                let settled = tags.into_iter().filter_map(|tag| self.held.settle(tag));
                self.unsent.extend(settled);
            }
            Command::GiveBack(tags) => {
                for tag in tags {
                    let pause = self.held.pause_before_return(tag);
                    if pause.is_zero() {
                        again.extend(self.held.give_back(tag));
                    } else {
                        self.returning
                            .push(Reverse((clock::monotonic() + pause, tag)));
                    }
                }
            }
            Command::Taken(count) => self.queued -= count,
            Command::Close(done) => return Err(Close(done)),
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        if self.all {
            return self.queued < self.subscription.window.messages.max(1);
        }
        self.held.has_room()
    }

    /// Reads until something is wrong or the reader closes.
    async fn serve(&mut self, consumer: &mut Bytewise) -> End {
        let mut orders = Vec::new();
        let shared = self.subscription.reading == Reading::Shared;
        let mut patience = PATIENCE;
        loop {
            // Both the acknowledgements that came with the last orders, and old ones.
            if let Err(fault) = self.acknowledge(consumer).await {
                return End::Broken(fault);
            }
            let room = self.has_room();
            let until_return = self.until_return();
            if room {
                patience = PATIENCE;
            }
            tokio::select! {
                biased;
                count = self.orders.recv_many(&mut orders, AT_ONCE) => {
                    if count == 0 {
                        return End::Close(Close(None));
                    }
                    if let Some(end) = self.obey_all(consumer, &mut orders).await {
                        return end;
                    }
                }
                () = closed(&mut self.closing) => return End::Close(Close(None)),
                came = consumer.next(), if room => {
                    if let Err(fault) = self.take(consumer, came).await {
                        return End::Broken(fault);
                    }
                }
                () = pause(until_return.unwrap_or_default()), if until_return.is_some() => {
                    if let Err(fault) = self.return_due(consumer).await {
                        return End::Broken(fault);
                    }
                }
                () = pause(SILENCE), if room => {
                    if let Err(fault) = self.check(consumer).await {
                        return End::Broken(fault);
                    }
                }
                () = pause(patience), if shared && !room => {
                    if let Err(fault) = self.hand_on(consumer).await {
                        return End::Broken(fault);
                    }
                    patience = (patience * 2).min(PATIENCE_MAX);
                }
            }
        }
    }

    /// How long until a message that is given back has waited long enough.
    fn until_return(&self) -> Option<Duration> {
        let Reverse((due, _)) = self.returning.peek()?;
        Some(due.saturating_duration_since(clock::monotonic()))
    }

    async fn return_due(&mut self, consumer: &mut Bytewise) -> Result<(), Fault> {
        let now = clock::monotonic();
        while let Some(Reverse((due, tag))) = self.returning.peek().copied()
            && due <= now
        {
            self.returning.pop();
            if let Some(id) = self.held.give_back(tag) {
                ask_again(consumer, id).await?;
            }
        }
        Ok(())
    }

    async fn obey_all(
        &mut self,
        consumer: &mut Bytewise,
        orders: &mut Vec<Command>,
    ) -> Option<End> {
        let mut again = Vec::new();
        let mut close = None;
        for order in orders.drain(..) {
            if let Err(order) = self.obey(order, &mut again) {
                // Dropping the reader says it once more; the first is the one that waits.
                close.get_or_insert(order);
            }
        }
        for id in again {
            if let Err(fault) = ask_again(consumer, id).await {
                return Some(End::Broken(fault));
            }
        }
        if close.is_some() {
            // Before the consumer goes. If it cannot, the messages come again.
            let _ = self.acknowledge(consumer).await;
        }
        close.map(End::Close)
    }

    async fn acknowledge(&mut self, consumer: &mut Bytewise) -> Result<(), Fault> {
        while let Some(id) = self.unsent.front() {
            let sent = consumer.ack_with_id(ITS_TOPIC, id.clone()).await;
            sent.map_err(|error| Fault::Trouble(error.to_string()))?;
            self.unsent.pop_front();
        }
        Ok(())
    }

    /// Gives out a message, and those that lie ready behind it.
    async fn take(&mut self, consumer: &mut Bytewise, first: Next) -> Result<(), Fault> {
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(ready) = next {
            self.give(came(ready)?);
            taken += 1;
            // Whatever is asked for here must be given out: it is gone from the library.
            next = match taken < AT_ONCE && self.has_room() {
                true => consumer.next().now_or_never(),
                false => None,
            };
        }
        if self.backoff.reset() {
            let topic = self.subscription.topic.url();
            tracing::info!(%topic, "reading from Pulsar works again");
        }
        Ok(())
    }

    fn give(&mut self, came: Came) {
        if self.all {
            let old = self
                .last
                .as_ref()
                .is_some_and(|last| key(last) >= key(&came.id));
            if old {
                return;
            }
            self.last = Some(came.id.clone());
            self.unsent.push_back(came.id.clone());
            self.queued += 1;
        } else if self.held.knows(&came) {
            return;
        }
        self.hub.received.fetch_add(1, Ordering::Relaxed);
        let delivery = match self.all {
            true => Delivery {
                tag: 0,
                payload: came.payload,
                redeliveries: 0,
            },
            false => self.held.give(came),
        };
        let _ = self.deliver.send(delivery);
    }

    /// Asks a silent consumer whether it lives.
    async fn check(&mut self, consumer: &mut Bytewise) -> Result<(), Fault> {
        let tries = ANSWER.as_millis() / STEP.as_millis();
        let hub = Arc::clone(&self.hub);
        let mut failed = false;
        for _ in 0..tries {
            let alone = hub.asking.lock().await;
            let answer = tokio::time::timeout(STEP, consumer.check_connection()).await;
            drop(alone);
            match answer {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if failed => return Err(fault(&error)),
                // Somebody else's question may have taken the place of ours.
                Ok(Err(_)) => failed = true,
                // It cannot answer while it has a message for us.
                Err(_) => {
                    if let Some(ready) = consumer.next().now_or_never() {
                        return self.take(consumer, ready).await;
                    }
                }
            }
        }
        Err(Fault::Trouble("the broker does not answer".to_owned()))
    }

    /// Gives back what lies ready in the library, for other readers: this one has been full for
    /// long.
    async fn hand_on(&self, consumer: &mut Bytewise) -> Result<(), Fault> {
        for _ in 0..AT_ONCE {
            let Some(ready) = consumer.next().now_or_never() else {
                break;
            };
            let came = came(ready)?;
            if !self.held.knows(&came) {
                ask_again(consumer, came.id).await?;
            }
        }
        Ok(())
    }
}

/// After so long without an answer, one looks whether messages are in its way.
const STEP: Duration = Duration::from_millis(250);

type Next = Option<Result<pulsar::consumer::Message<Vec<u8>>, pulsar::Error>>;

/// Asks the broker to deliver a message again, here or elsewhere.
async fn ask_again(consumer: &mut Bytewise, id: MessageIdData) -> Result<(), Fault> {
    let asked = consumer.nack_with_id(ITS_TOPIC, id).await;
    asked.map_err(|error| Fault::Trouble(error.to_string()))
}

/// Ends when the transport closes.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Where a message is in its topic.
fn key(id: &MessageIdData) -> (u64, u64, i32) {
    (id.ledger_id, id.entry_id, id.batch_index.unwrap_or(-1))
}

fn came(next: Next) -> Result<Came, Fault> {
    let message = match next {
        Some(Ok(message)) => message,
        Some(Err(error)) => return Err(fault(&error)),
        None => return Err(Fault::Trouble("the consumer ended".to_owned())),
    };
    let batch = message.payload.metadata.num_messages_in_batch;
    Ok(Came {
        id: message.message_id().clone(),
        batch: batch.and_then(|size| usize::try_from(size).ok()),
        payload: Bytes::from(message.payload.data),
    })
}

/// Waits until the broker has all acknowledgements: they are before this question in the same
/// queue. What comes meanwhile goes to the next reader.
async fn barrier(hub: &Hub, consumer: &mut Bytewise) {
    let tries = BARRIER.as_millis() / STEP.as_millis();
    for _ in 0..tries {
        while let Some(Some(Ok(_))) = consumer.next().now_or_never() {}
        let alone = hub.asking.lock().await;
        let answer = tokio::time::timeout(STEP, consumer.check_connection()).await;
        drop(alone);
        if let Ok(answer) = answer {
            if let Err(error) = answer {
                tracing::debug!(%error, "acknowledgements may be lost; messages come again");
            }
            return;
        }
    }
}
