//! A broker in this process: what [`Transport`] promises, without a network.
//!
//! Each [`MemoryTransport`] is one process's connection to a shared [`MemoryBroker`]. The broker
//! can be made to go away for a while, and to forget acknowledgements, as real ones do. It keeps
//! nothing when the process ends.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::Bytes;
use infinitic_core::names::WorkflowName;

use super::super::store::Pending;
use super::super::transport::{
    Acknowledge, DeadLetter, Delivery, Reader, Reading, SendError, Topic, Transport,
    TransportCounters, TransportError, Window,
};
use super::queue::{Queue, ReaderId};
use crate::clock::{Clock, SystemClock};

/// Messages that may wait for the broker to come back before [`Transport::ready`] waits.
const HELD_MAX: usize = 1_000;

/// Larger messages are refused, as Pulsar does by default.
const MESSAGE_BYTES_MAX: usize = 5 * 1024 * 1024 - 64 * 1024;

/// A broker in this process. Clones are the same broker.
#[derive(Clone)]
pub struct MemoryBroker {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    inboxes: BTreeMap<WorkflowName, u16>,
    queues: BTreeMap<Topic, Queue>,
    dead: Vec<(Topic, DeadLetter)>,
    dead_made: u64,
    readers_made: u64,
    /// The broker is away: nothing is taken or given.
    away: bool,
    /// Sent meanwhile, in order.
    held: VecDeque<(Topic, Bytes)>,
    /// How often it came back, for those who wait for that.
    returns: u64,
    wakers: Vec<Waker>,
}

impl MemoryBroker {
    /// A broker without topics.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::default())),
        }
    }

    /// A connection to it: what one process has.
    #[must_use]
    pub fn transport(&self) -> MemoryTransport {
        MemoryTransport {
            broker: self.clone(),
            own: Arc::new(Own::default()),
        }
    }

    /// The broker goes away: what is sent waits, nothing is delivered, acknowledgements are lost.
    pub fn go_away(&self) {
        self.lock().away = true;
    }

    /// It is back: what waited is taken, and all that was not acknowledged is delivered again.
    pub fn come_back(&self) {
        let mut state = self.lock();
        state.away = false;
        state.returns += 1;
        for queue in state.queues.values_mut() {
            queue.redeliver_all();
        }
        while let Some((topic, payload)) = state.held.pop_front() {
            state.put(&topic, payload);
        }
        state.wake();
    }

    /// How many messages of a topic are not acknowledged, delivered or not.
    #[must_use]
    pub fn backlog(&self, topic: &Topic) -> usize {
        self.lock().queues.get(topic).map_or(0, Queue::backlog)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no holder of this lock runs foreign code")
    }

    /// Waits until `ask` has an answer. It is asked again after each change of the broker.
    async fn wait<T>(&self, mut ask: impl FnMut(&mut State) -> Option<T>) -> T {
        poll_fn(|context| {
            let mut state = self.lock();
            match ask(&mut state) {
                Some(answer) => Poll::Ready(answer),
                None => {
                    if !state.wakers.iter().any(|w| w.will_wake(context.waker())) {
                        state.wakers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryBroker")
            .field("topics", &state.queues.len())
            .field("dead_letters", &state.dead.len())
            .field("away", &state.away)
            .finish()
    }
}

impl State {
    /// Answers and members' topics live as long as somebody reads them: what is sent to one that
    /// is gone is for nobody. What everybody reads is for those who are there.
    fn put(&mut self, topic: &Topic, payload: Bytes) {
        match topic {
            Topic::Replies(_) | Topic::Member(_) => {
                if let Some(queue) = self.queues.get_mut(topic) {
                    queue.push(payload);
                }
            }
            Topic::TaskControl(_) => {
                if let Some(queue) = self.queues.get_mut(topic) {
                    queue.push_to_all(&payload);
                }
            }
            Topic::Inbox(_) | Topic::Tasks(_) | Topic::Turns(..) => {
                self.queues.entry(topic.clone()).or_default().push(payload);
            }
        }
        self.wake();
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

/// One process's connection to a [`MemoryBroker`]. Clones are the same connection.
#[derive(Clone)]
pub struct MemoryTransport {
    broker: MemoryBroker,
    own: Arc<Own>,
}

#[derive(Default)]
struct Own {
    closed: std::sync::atomic::AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    bytes_sent: AtomicU64,
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").finish_non_exhaustive()
    }
}

impl Own {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl MemoryTransport {
    fn check(&self, payload: &Bytes) -> Result<(), SendError> {
        if self.own.is_closed() {
            return Err(SendError::Closed);
        }
        if payload.len() > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLarge {
                bytes: payload.len(),
                max: MESSAGE_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// Waits until the broker is there.
    async fn there(&self) {
        self.broker.wait(|state| (!state.away).then_some(())).await;
    }
}

impl Transport for MemoryTransport {
    fn inboxes(
        &self,
        workflow: &WorkflowName,
        wanted: u16,
    ) -> Pending<'_, Result<u16, TransportError>> {
        let workflow = workflow.clone();
        Box::pin(async move {
            self.there().await;
            let mut state = self.broker.lock();
            Ok(*state
                .inboxes
                .entry(workflow)
                .or_insert_with(|| wanted.max(1)))
        })
    }

    fn workflows(&self) -> Pending<'_, Result<Vec<WorkflowName>, TransportError>> {
        Box::pin(async move {
            self.there().await;
            Ok(self.broker.lock().inboxes.keys().cloned().collect())
        })
    }

    fn send(&self, to: &Topic, payload: Bytes) -> Pending<'static, Result<(), SendError>> {
        if let Err(error) = self.check(&payload) {
            return Box::pin(async move { Err(error) });
        }
        self.own.sent.fetch_add(1, Ordering::Relaxed);
        let bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        self.own.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        let mut state = self.broker.lock();
        if !state.away {
            state.put(to, payload);
            return Box::pin(async { Ok(()) });
        }
        state.held.push_back((to.clone(), payload));
        let (broker, before) = (self.broker.clone(), state.returns);
        Box::pin(async move {
            broker
                .wait(|state| (state.returns > before).then_some(()))
                .await;
            Ok(())
        })
    }

    fn ready(&self) -> Pending<'_, ()> {
        let room = |state: &mut State| (state.held.len() < HELD_MAX).then_some(());
        Box::pin(self.broker.wait(room))
    }

    fn read(
        &self,
        topic: &Topic,
        reading: Reading,
        window: Window,
    ) -> Pending<'_, Result<Box<dyn Reader>, TransportError>> {
        let topic = topic.clone();
        Box::pin(async move {
            self.there().await;
            let mut state = self.broker.lock();
            let id = ReaderId(state.readers_made);
            state.readers_made += 1;
            let queue = state.queues.entry(topic.clone()).or_default();
            queue.open(id, reading, window);
            state.wake();
            let seat = Seat {
                broker: self.broker.clone(),
                own: Arc::clone(&self.own),
                topic,
                id,
            };
            Ok(Box::new(MemoryReader { seat }) as Box<dyn Reader>)
        })
    }

    fn has_readers(&self, topic: &Topic) -> Pending<'_, Result<bool, TransportError>> {
        let topic = topic.clone();
        Box::pin(async move {
            self.there().await;
            let state = self.broker.lock();
            Ok(state
                .queues
                .get(&topic)
                .is_some_and(|queue| !queue.is_free()))
        })
    }

    fn set_aside(
        &self,
        topic: &Topic,
        payload: Bytes,
        reason: String,
    ) -> Pending<'_, Result<(), SendError>> {
        let topic = topic.clone();
        Box::pin(async move {
            self.check(&payload)?;
            self.there().await;
            let mut state = self.broker.lock();
            state.dead_made += 1;
            let letter = DeadLetter {
                id: state.dead_made.to_string(),
                topic: topic.to_string(),
                reason,
                at: SystemClock.now().to_string(),
                payload,
            };
            state.dead.push((topic, letter));
            Ok(())
        })
    }

    fn dead_letters(&self, limit: usize) -> Pending<'_, Result<Vec<DeadLetter>, TransportError>> {
        Box::pin(async move {
            self.there().await;
            let state = self.broker.lock();
            let letters = state.dead.iter().take(limit);
            Ok(letters.map(|(_, letter)| letter.clone()).collect())
        })
    }

    fn redrive(&self, id: &str) -> Pending<'_, Result<bool, TransportError>> {
        let id = id.to_owned();
        Box::pin(async move {
            self.there().await;
            let mut state = self.broker.lock();
            let Some(at) = state.dead.iter().position(|(_, letter)| letter.id == id) else {
                return Ok(false);
            };
            let (topic, letter) = state.dead.remove(at);
            state.put(&topic, letter.payload);
            Ok(true)
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        self.own.closed.store(true, Ordering::Release);
        self.broker.lock().wake();
        Box::pin(async {})
    }

    fn counters(&self) -> TransportCounters {
        TransportCounters {
            sent: self.own.sent.load(Ordering::Relaxed),
            received: self.own.received.load(Ordering::Relaxed),
            bytes_sent: self.own.bytes_sent.load(Ordering::Relaxed),
        }
    }
}

/// A reader's place at its queue, for itself and its acknowledgers.
#[derive(Clone)]
struct Seat {
    broker: MemoryBroker,
    own: Arc<Own>,
    topic: Topic,
    id: ReaderId,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reader {} of {}", self.id.0, self.topic)
    }
}

impl Acknowledge for Seat {
    fn acknowledge(&self, tags: &[u64]) {
        let mut state = self.broker.lock();
        if state.away {
            return;
        }
        if let Some(queue) = state.queues.get_mut(&self.topic) {
            queue.acknowledge(self.id, tags);
        }
        state.wake();
    }

    fn give_back(&self, tags: &[u64]) {
        let mut state = self.broker.lock();
        if state.away {
            return;
        }
        if let Some(queue) = state.queues.get_mut(&self.topic) {
            queue.give_back(self.id, tags);
        }
        state.wake();
    }
}

#[derive(Debug)]
struct MemoryReader {
    seat: Seat,
}

impl MemoryReader {
    /// Waits for messages; each poll leaves nothing taken, so that dropping it loses nothing.
    fn poll_next(&self, limit: usize) -> impl Future<Output = Option<Vec<Delivery>>> + Send {
        let Seat { own, topic, id, .. } = self.seat.clone();
        let broker = self.seat.broker.clone();
        async move {
            broker
                .wait(|state| {
                    if own.is_closed() {
                        return Some(None);
                    }
                    let (false, Some(queue)) = (state.away, state.queues.get_mut(&topic)) else {
                        return None;
                    };
                    let given = queue.take(id, limit.max(1));
                    if given.is_empty() {
                        return None;
                    }
                    let count = u64::try_from(given.len()).unwrap_or(u64::MAX);
                    own.received.fetch_add(count, Ordering::Relaxed);
                    Some(Some(given))
                })
                .await
        }
    }
}

impl Reader for MemoryReader {
    fn next(&mut self, limit: usize) -> Pending<'_, Option<Vec<Delivery>>> {
        Box::pin(self.poll_next(limit))
    }

    fn acknowledger(&self) -> Box<dyn Acknowledge> {
        Box::new(self.seat.clone())
    }

    fn close(self: Box<Self>) -> Pending<'static, ()> {
        let seat = self.seat.clone();
        let mut state = seat.broker.lock();
        if let Some(queue) = state.queues.get_mut(&seat.topic) {
            queue.leave(seat.id, true);
        }
        let personal = matches!(seat.topic, Topic::Replies(_) | Topic::Member(_));
        let is_free = |queue: &Queue| queue.is_free();
        if personal && state.queues.get(&seat.topic).is_some_and(is_free) {
            state.queues.remove(&seat.topic);
        }
        state.wake();
        drop(state);
        Box::pin(async {})
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        let mut state = self.seat.broker.lock();
        if let Some(queue) = state.queues.get_mut(&self.seat.topic) {
            queue.leave(self.seat.id, false);
        }
        state.wake();
    }
}
