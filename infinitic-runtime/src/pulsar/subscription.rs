//! How each topic is read: which subscription, and how much lies ready.

use pulsar::consumer::InitialPosition;
use pulsar::proto::MessageIdData;
use pulsar::{ConsumerBuilder, ConsumerOptions, SubType, TokioExecutor};

use super::client::{Bytewise, Fault};
use super::hub::Hub;
use super::names::Full;
use crate::clock;
use crate::cluster::transport::{Reading, TransportError, Window};

/// Bytes that a message is taken to have when a window of bytes becomes one of messages: a frame of
/// two hundred entries.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Messages that the library asks for at once, at most.
const ASK_MAX: usize = 1_000;

/// What to read, and how.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) topic: Full,
    pub(super) reading: Reading,
    pub(super) window: Window,
    name: String,
}

impl Subscription {
    pub(super) fn new(hub: &Hub, topic: Full, reading: Reading, window: Window) -> Self {
        let name = &hub.settings.subscription;
        Self {
            name: match reading {
                Reading::All => format!("{name}-{:016x}", clock::random_bits()),
                Reading::Alone { .. } | Reading::Shared => name.clone(),
            },
            topic,
            reading,
            window,
        }
    }

    /// Subscribes, after a message when one is given and the subscription has no memory.
    pub(super) async fn open(
        &self,
        hub: &Hub,
        after: Option<MessageIdData>,
    ) -> Result<Bytewise, Fault> {
        hub.topics
            .ensure(&self.topic)
            .await
            .map_err(|error| match error {
                TransportError::Unavailable(text) => Fault::Trouble(text),
                TransportError::Refused(text) => Fault::Refused(text),
            })?;
        let own = self.clone();
        let made = hub
            .clients
            .consumer(move |builder| own.build(builder, after))
            .await;
        if matches!(made, Err(Fault::NoTopic)) {
            hub.topics.forget(&self.topic);
        }
        made
    }

    fn build(
        self,
        builder: ConsumerBuilder<TokioExecutor>,
        after: Option<MessageIdData>,
    ) -> ConsumerBuilder<TokioExecutor> {
        let ask = self.ask();
        let mut options = ConsumerOptions::default()
            .with_receiver_queue_size(ask.div_ceil(2))
            .with_initial_position(InitialPosition::Earliest);
        let kind = match self.reading {
            Reading::Alone { rank } => {
                // The broker serves the lowest number; of a newer claim, that is.
                let rank = i32::try_from(rank).unwrap_or(i32::MAX);
                options = options.with_priority_level(i32::MAX - rank);
                SubType::Failover
            }
            Reading::Shared => SubType::Shared,
            Reading::All => {
                options = options
                    .durable(false)
                    .with_initial_position(InitialPosition::Latest);
                options.start_message_id = after;
                SubType::Exclusive
            }
        };
        builder
            .with_topic(self.topic.url())
            .with_subscription(self.name)
            .with_subscription_type(kind)
            .with_batch_size(ask)
            .with_options(options)
    }

    /// Messages that the library asks the broker for at once. They lie in its queue, beside the
    /// window: so few where others could take them.
    fn ask(&self) -> u32 {
        let by_bytes = (self.window.bytes / MESSAGE_BYTES).max(1);
        let messages = match self.reading {
            Reading::Shared => self.window.messages / 2,
            Reading::Alone { .. } | Reading::All => self.window.messages,
        };
        let ask = messages.min(by_bytes).clamp(1, ASK_MAX);
        u32::try_from(ask).unwrap_or(1)
    }
}
