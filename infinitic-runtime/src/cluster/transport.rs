//! The seam to a message broker that many workers and clients share.
//!
//! Payloads are bytes; what they mean is the business of `wire`. A transport hides the broker's
//! trouble: connections that break, topics that move, a broker that is restarted. It tells only
//! what is for good.

use std::fmt;

use bytes::Bytes;
use infinitic_core::names::{ServiceName, WorkflowName};

use super::store::{MemberId, Part, Pending};

/// Where messages go. A topic is made by whoever needs it first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The inbox of a partition of a workflow: frames for its owner.
    Inbox(Part),
    /// Attempts of a service's tasks, each for any worker that hosts it.
    Tasks(ServiceName),
    /// Cancels of such attempts, for every worker that hosts the service.
    TaskControl(ServiceName),
    /// Turns of a version of a workflow, each for any worker that hosts it.
    Turns(WorkflowName, u32),
    /// Answers for a client.
    Replies(String),
    /// Messages to a member itself.
    Member(MemberId),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox(part) => write!(f, "inbox of {part}"),
            Self::Tasks(service) => write!(f, "tasks of {service}"),
            Self::TaskControl(service) => write!(f, "task control of {service}"),
            Self::Turns(workflow, version) => write!(f, "turns of {workflow} version {version}"),
            Self::Replies(name) => write!(f, "replies for {name}"),
            Self::Member(member) => write!(f, "member {member}"),
        }
    }
}

/// How a topic is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// By one reader at a time, which sees all that no reader has acknowledged: a reader with a
    /// higher rank takes over from one with a lower rank, within a second or two, even when that
    /// one hangs.
    Alone {
        /// The epoch of the claim.
        rank: u32,
    },
    /// Each message by one of many readers; what one that is gone has not acknowledged goes to
    /// another.
    Shared,
    /// By every reader, each from the moment when it began, without a memory.
    All,
}

/// What a reader holds at most that it has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages.
    pub messages: usize,
    /// Bytes, roughly.
    pub bytes: usize,
}

/// One message as the broker gave it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// For the acknowledgement; meaningful to the reader that gave it.
    pub tag: u64,
    /// The payload.
    pub payload: Bytes,
    /// How many readers of a shared topic went away with it, neither settled nor given back, as far
    /// as the broker knows. Some brokers do not tell: always 0 there.
    pub redeliveries: u32,
}

/// Why a message cannot be sent, for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Larger than the broker takes.
    #[error(
        "a message of {bytes} bytes is larger than the {max} that the broker takes; keep large \
         values elsewhere and send a reference, or raise the broker's maxMessageSize"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The transport was closed.
    #[error("the connection to the broker was closed")]
    Closed,
}

/// Why a transport cannot be used, or a topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// It may work again later.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody must change something: an address, a password, a right, a topic's shape.
    #[error("{0}")]
    Refused(String),
}

/// A message that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name in the broker, for a redrive.
    pub id: String,
    /// From which topic.
    pub topic: String,
    /// Why.
    pub reason: String,
    /// When, in words.
    pub at: String,
    /// The payload.
    pub payload: Bytes,
}

/// A broker.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Makes the inboxes of a workflow, as many as there are partitions, unless they exist; answers
    /// how many there are.
    fn inboxes(
        &self,
        workflow: &WorkflowName,
        wanted: u16,
    ) -> Pending<'_, Result<u16, TransportError>>;

    /// The workflow names that have inboxes.
    fn workflows(&self) -> Pending<'_, Result<Vec<WorkflowName>, TransportError>>;

    /// Sends a message. It is on its way, in order with others to the same topic, when this
    /// returns; durable at the broker when the future ends. Trouble is waited out and tried again.
    /// A transport that has too much under way makes the future of [`Transport::ready`] wait.
    ///
    /// **Cancellation:** dropping the future leaves the message on its way.
    fn send(&self, to: &Topic, payload: Bytes) -> Pending<'static, Result<(), SendError>>;

    /// Ends when there is room for more messages.
    fn ready(&self) -> Pending<'_, ()>;

    /// Reads a topic, from now until the reader is dropped or closed. Trouble is waited out: the
    /// reader is rebuilt by itself.
    ///
    /// # Errors
    /// When the first subscription fails for good.
    fn read(
        &self,
        topic: &Topic,
        reading: Reading,
        window: Window,
    ) -> Pending<'_, Result<Box<dyn Reader>, TransportError>>;

    /// Whether anybody reads a topic now.
    fn has_readers(&self, topic: &Topic) -> Pending<'_, Result<bool, TransportError>>;

    /// Sets a message of a topic aside with a reason: durable when it answers.
    fn set_aside(
        &self,
        topic: &Topic,
        payload: Bytes,
        reason: String,
    ) -> Pending<'_, Result<(), SendError>>;

    /// The messages that were set aside, at most `limit`.
    fn dead_letters(&self, limit: usize) -> Pending<'_, Result<Vec<DeadLetter>, TransportError>>;

    /// Sends a message that was set aside to its topic again, and removes it from the dead letters.
    /// False when there is none of that id.
    fn redrive(&self, id: &str) -> Pending<'_, Result<bool, TransportError>>;

    /// Waits until what was acknowledged is known to the broker, then ends the connections.
    fn close(&self) -> Pending<'_, ()>;

    /// What it has cost so far.
    fn counters(&self) -> TransportCounters;
}

/// Reads a topic.
pub trait Reader: Send + fmt::Debug {
    /// The messages that are there, at least one, at most `limit`: waits for the first, not for
    /// more. None when the transport was closed.
    ///
    /// **Cancellation:** dropping the future loses nothing.
    fn next(&mut self, limit: usize) -> Pending<'_, Option<Vec<Delivery>>>;

    /// What acknowledges this reader's messages, from anywhere.
    fn acknowledger(&self) -> Box<dyn Acknowledge>;

    /// Ends the reading once what was acknowledged is known to the broker. What was not goes to the
    /// next reader.
    fn close(self: Box<Self>) -> Pending<'static, ()>;
}

/// Acknowledges messages of one reader. Lost acknowledgements bring messages again.
pub trait Acknowledge: Send + Sync + fmt::Debug {
    /// These are settled.
    fn acknowledge(&self, tags: &[u64]);

    /// These are to be delivered again, soon.
    fn give_back(&self, tags: &[u64]);
}

/// What a transport has cost this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportCounters {
    /// Messages sent to the broker.
    pub sent: u64,
    /// Messages received from it.
    pub received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
}
