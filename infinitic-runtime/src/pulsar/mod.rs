//! Apache Pulsar as the transport of a cluster.
//!
//! [`PulsarTransport::connect`] makes tenant, namespaces and topics when they are missing and the
//! role may; see [`PulsarSettings`]. All that the library below does wrong with a real broker is
//! kept inside: consumers that fall silent, connections that break, acknowledgements that get lost.
//!
//! What is promised: a message is delivered at least once. How many readers died of it is not known
//! ([`Delivery::redeliveries`] is 0): Pulsar does not count that for good, and the library keeps to
//! itself what it counts.
//!
//! [`Delivery::redeliveries`]: crate::cluster::transport::Delivery#structfield.redeliveries
//!
//! # Settings of the broker
//!
//! `managedLedgerNewEntriesCheckDelayInMillis=0` and `journalFlushWhenQueueEmpty=true` bring a hop
//! from 11 ms to some 2 ms, as durable as before. `activeConsumerFailoverDelayTimeMillis` (1,000)
//! is most of the pause when a partition moves. `brokerDeleteInactiveTopicsEnabled` must be on, as
//! by default, so that clients that are gone leave nothing.
//!
//! # Logging
//!
//! The library below logs an error for each message under way when a connection breaks: keep the
//! target `pulsar` at `off`. What matters is logged here.

mod admin;
mod auth;
mod backoff;
mod client;
mod dead;
mod held;
mod hub;
mod intake;
mod names;
mod reader;
mod sender;
mod settings;
mod subscription;
mod topics;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use tokio::sync::watch;

pub use auth::Auth;
pub use settings::{InvalidSettings, Policies, PulsarSettings};

use crate::cluster::store::Pending;
use crate::cluster::transport::{
    DeadLetter, Reader, Reading, SendError, Topic, Transport, TransportCounters, TransportError,
    Window,
};
use client::Clients;
use hub::{Budget, Hub};
use subscription::Subscription;
use topics::Topics;

/// The broker's own default for `maxMessageSize`.
const MESSAGE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// What a message's headers may take of it.
const HEADER_BYTES: usize = 64 * 1024;

/// How long closing waits for tasks whose own limits are below this.
const CLOSING: Duration = Duration::from_secs(20);

/// A connection to a Pulsar. Dropping it ends its readers and senders as [`Transport::close`] does,
/// without waiting for them.
pub struct PulsarTransport {
    hub: Arc<Hub>,
}

impl fmt::Debug for PulsarTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.hub.settings.broker_url;
        write!(f, "PulsarTransport({url})")
    }
}

impl PulsarTransport {
    /// Connects, and makes sure that the namespaces exist.
    ///
    /// # Errors
    /// [`TransportError::Refused`] when somebody must change something: a setting, a password, a
    /// right. [`TransportError::Unavailable`] when nothing answers: the address may be wrong, or
    /// the broker may not be up yet; it takes some seconds to say so.
    pub async fn connect(settings: PulsarSettings) -> Result<Self, TransportError> {
        let checked = settings.check();
        checked.map_err(|error| TransportError::Refused(error.to_string()))?;
        let clients = Clients::new(&settings)?;
        let topics = Topics::new(&settings)?;
        clients.knock().await?;
        let allowed = topics.prepare().await?;
        clients.prove(allowed).await?;
        let max = match settings.max_message_bytes {
            Some(max) => max,
            None => topics
                .max_message_bytes()
                .await
                .unwrap_or(MESSAGE_BYTES_MAX),
        };
        let hub = Hub {
            clients,
            topics,
            payload_bytes_max: max.saturating_sub(HEADER_BYTES),
            budget: Budget::new(settings.in_flight_messages, settings.in_flight_bytes),
            senders: HashMap::new().into(),
            closing: watch::Sender::new(false),
            tasks: watch::Sender::new(()),
            asking: tokio::sync::Mutex::new(()),
            sent: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            settings,
        };
        Ok(Self { hub: Arc::new(hub) })
    }
}

impl Drop for PulsarTransport {
    fn drop(&mut self) {
        self.hub.closing.send_replace(true);
    }
}

impl Transport for PulsarTransport {
    fn inboxes(
        &self,
        workflow: &WorkflowName,
        wanted: u16,
    ) -> Pending<'_, Result<u16, TransportError>> {
        let workflow = workflow.clone();
        Box::pin(async move {
            let refused = match self.hub.topics.inboxes(&workflow, wanted).await {
                Err(TransportError::Refused(text)) => text,
                answer => return answer,
            };
            // A role without rights on the REST interface may still read and send.
            let local = self.hub.topics.names.inboxes(&workflow);
            let namespace = self.hub.topics.names.namespace(names::Life::Lasting);
            let url = format!("persistent://{namespace}/{local}");
            match self.hub.clients.partitions(&url).await {
                Ok(number) if number > 0 => Ok(u16::try_from(number).unwrap_or(u16::MAX)),
                _ => Err(TransportError::Refused(refused)),
            }
        })
    }

    fn workflows(&self) -> Pending<'_, Result<Vec<WorkflowName>, TransportError>> {
        Box::pin(self.hub.topics.workflows())
    }

    fn send(&self, to: &Topic, payload: Bytes) -> Pending<'static, Result<(), SendError>> {
        let to = self.hub.topics.names.topic(to);
        sender::send(&self.hub, to, payload, HashMap::new())
    }

    fn ready(&self) -> Pending<'_, ()> {
        Box::pin(self.hub.budget.room())
    }

    fn read(
        &self,
        topic: &Topic,
        reading: Reading,
        window: Window,
    ) -> Pending<'_, Result<Box<dyn Reader>, TransportError>> {
        let full = self.hub.topics.names.topic(topic);
        let deletes = matches!(topic, Topic::Replies(_) | Topic::Member(_));
        let subscription = Subscription::new(&self.hub, full, reading, window);
        Box::pin(reader::begin(&self.hub, subscription, deletes))
    }

    fn has_readers(&self, topic: &Topic) -> Pending<'_, Result<bool, TransportError>> {
        let topic = self.hub.topics.names.topic(topic);
        Box::pin(async move { self.hub.topics.has_readers(&topic).await })
    }

    fn set_aside(
        &self,
        topic: &Topic,
        payload: Bytes,
        reason: String,
    ) -> Pending<'_, Result<(), SendError>> {
        dead::set_aside(&self.hub, topic, payload, &reason)
    }

    fn dead_letters(&self, limit: usize) -> Pending<'_, Result<Vec<DeadLetter>, TransportError>> {
        Box::pin(dead::list(&self.hub, limit))
    }

    fn redrive(&self, id: &str) -> Pending<'_, Result<bool, TransportError>> {
        let id = id.to_owned();
        Box::pin(async move { dead::redrive(&self.hub, &id).await })
    }

    fn close(&self) -> Pending<'_, ()> {
        self.hub.closing.send_replace(true);
        Box::pin(async {
            // Ends when the last task drops its end.
            let _ = tokio::time::timeout(CLOSING, self.hub.tasks.closed()).await;
        })
    }

    fn counters(&self) -> TransportCounters {
        self.hub.counters()
    }
}
