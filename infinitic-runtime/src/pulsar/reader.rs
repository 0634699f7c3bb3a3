//! Reads one topic: what its user holds. The work is done by a task, see `intake`.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::backoff::Backoff;
use super::client::{Bytewise, Fault};
use super::hub::Hub;
use super::intake::Task;
use super::subscription::Subscription;
use crate::cluster::store::Pending;
use crate::cluster::transport::{Acknowledge, Delivery, Reader, Reading, TransportError};

/// What a reader and its acknowledgers tell its task.
#[derive(Debug)]
pub(super) enum Command {
    Acknowledge(Vec<u64>),
    GiveBack(Vec<u64>),
    /// Taken out of the queue of a reader that acknowledges nothing.
    Taken(usize),
    Close(Option<oneshot::Sender<()>>),
}

/// Begins to read. Waits until the subscription is made.
///
/// # Errors
/// When it cannot be made for good.
pub(super) async fn begin(
    hub: &Arc<Hub>,
    subscription: Subscription,
    deletes: bool,
) -> Result<Box<dyn Reader>, TransportError> {
    let consumer = first(hub, &subscription).await?;
    let (commands, orders) = mpsc::unbounded_channel();
    let (deliver, deliveries) = mpsc::unbounded_channel();
    let all = subscription.reading == Reading::All;
    let topic = subscription.topic.url();
    let task = Task::new(Arc::clone(hub), subscription, deletes, deliver, orders);
    let alive = hub.tasks.subscribe();
    tokio::spawn(async move {
        let _alive = alive;
        task.run(consumer).await;
    });
    Ok(Box::new(PulsarReader {
        topic,
        all,
        deliveries,
        commands,
    }))
}

async fn first(hub: &Hub, subscription: &Subscription) -> Result<Bytewise, TransportError> {
    let mut backoff = Backoff::for_broker();
    let mut missing = 0;
    loop {
        let topic = subscription.topic.url();
        let fault = match subscription.open(hub, None).await {
            Ok(consumer) => return Ok(consumer),
            Err(Fault::Refused(text)) => return Err(TransportError::Refused(text)),
            // One that was made just now may not be seen by each part of the broker yet.
            Err(Fault::NoTopic) if missing == 5 => {
                return Err(TransportError::Refused(format!(
                    "there is no topic {topic}, and it was not made when we asked; create it, or \
                     give our role the right to"
                )));
            }
            Err(Fault::NoTopic) => {
                missing += 1;
                Fault::NoTopic
            }
            Err(fault) => fault,
        };
        if hub.is_closing() {
            return Err(TransportError::Refused(
                "the transport was closed".to_owned(),
            ));
        }
        if backoff.tell() {
            tracing::warn!(%topic, %fault, "cannot read from Pulsar yet; trying again");
        }
        backoff.wait().await;
    }
}

struct PulsarReader {
    topic: String,
    all: bool,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    commands: mpsc::UnboundedSender<Command>,
}

impl fmt::Debug for PulsarReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PulsarReader({})", self.topic)
    }
}

impl Reader for PulsarReader {
    fn next(&mut self, limit: usize) -> Pending<'_, Option<Vec<Delivery>>> {
        Box::pin(async move {
            let mut given = Vec::new();
            let count = self.deliveries.recv_many(&mut given, limit.max(1)).await;
            if self.all {
                let _ = self.commands.send(Command::Taken(count));
            }
            (count > 0).then_some(given)
        })
    }

    fn acknowledger(&self) -> Box<dyn Acknowledge> {
        Box::new(Acknowledger(self.commands.clone()))
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        let (done, closed) = oneshot::channel();
        let _ = self.commands.send(Command::Close(Some(done)));
        Box::pin(async move {
            let _ = closed.await;
        })
    }
}

impl Drop for PulsarReader {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Close(None));
    }
}

#[derive(Debug)]
struct Acknowledger(mpsc::UnboundedSender<Command>);

impl Acknowledge for Acknowledger {
    fn acknowledge(&self, tags: &[u64]) {
        let _ = self.0.send(Command::Acknowledge(tags.to_vec()));
    }

    fn give_back(&self, tags: &[u64]) {
        let _ = self.0.send(Command::GiveBack(tags.to_vec()));
    }
}
