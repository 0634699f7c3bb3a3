//! Where messages for a shard arrive: the seam between clients and the worker's loops.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use infinitic_core::{InstanceId, Message, RunNo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The shard that owns an instance.
#[must_use]
pub fn shard_of(id: InstanceId, shards: usize) -> usize {
    id.routing() as usize % shards
}

/// Inputs handled in one round at most: bounds how long the first of them waits for its commit, and
/// lets the sync of one round go on beside the work of the next. One sync for so many costs
/// nothing.
const ROUND_MAX: usize = 512;

/// Starts by clients that may wait in a mailbox: enough to fill a dozen rounds, few enough that
/// clients faster than the store fill no memory. Beyond, clients wait.
pub(crate) const STARTS_MAX: usize = 8_192;

/// The place of a start; given back when its round is over.
pub(crate) type Room = Arc<OwnedSemaphorePermit>;

/// Something for a shard.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A message to an instance; `fresh` when its id was drawn for it. A start brings its room.
    Message {
        to: InstanceId,
        message: Message,
        fresh: bool,
        room: Option<Room>,
    },
    /// Code of an instance was woken by something foreign.
    Foreign { id: InstanceId, run: RunNo },
    /// A turn never ended, and its thread was given up.
    Stuck { id: InstanceId, run: RunNo },
}

/// The inputs of one shard, and those of the round under way: a thread that is given up in the
/// middle of a round leaves them to its successor.
#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    arrived: Condvar,
    rooms: Arc<Semaphore>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            rooms: Arc::new(Semaphore::new(STARTS_MAX)),
        }
    }
}

/// Nothing will be taken from the mailbox any more.
#[derive(Debug)]
pub(crate) struct Closed;

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Input>,
    round: Vec<Input>,
    /// How many belong into the next round: those of one that was given up stay together.
    together: usize,
    /// Which thread may take; older ones have been given up.
    generation: u64,
    sleeps: bool,
    closed: bool,
}

/// What a shard's thread is to do next.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Handle these, of which there may be none.
    Round(Vec<Input>),
    /// Nothing will come any more.
    Closed,
    /// Another thread has taken over.
    GivenUp,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a start, if there is some now.
    pub(crate) fn try_room(&self) -> Option<Room> {
        Arc::clone(&self.rooms)
            .try_acquire_owned()
            .map(Arc::new)
            .ok()
    }

    /// Waits for room for a start: first come, first served.
    pub(crate) async fn room(&self) -> Result<Room, Closed> {
        let room = Arc::clone(&self.rooms).acquire_owned().await;
        room.map(Arc::new).map_err(|_| Closed)
    }

    pub(crate) fn push(&self, input: Input) {
        let mut state = self.lock();
        state.waiting.push_back(input);
        let wake = std::mem::take(&mut state.sleeps);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Ends the round before and takes the next one, waiting at most `patience` for something to
    /// come.
    pub(crate) fn take(&self, generation: u64, patience: Duration) -> Taken {
        let mut state = self.lock();
        if state.generation == generation {
            state.round.clear();
        }
        if state.waiting.is_empty() && !state.closed && state.generation == generation {
            state.sleeps = true;
            state = self
                .arrived
                .wait_timeout_while(state, patience, |state| {
                    state.waiting.is_empty() && !state.closed && state.generation == generation
                })
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.sleeps = false;
        }
        if state.generation != generation {
            return Taken::GivenUp;
        }
        if state.waiting.is_empty() && state.closed {
            return Taken::Closed;
        }
        let together = std::mem::take(&mut state.together);
        let count = state.waiting.len().min(ROUND_MAX.max(together));
        let round: Vec<Input> = state.waiting.drain(..count).collect();
        state.round.clone_from(&round);
        Taken::Round(round)
    }

    /// Gives up the thread of `generation`: what it had not finished waits again, before the rest
    /// and without claims of being fresh. Answers the next generation.
    pub(crate) fn give_up(&self, generation: u64, first: Input) -> Option<u64> {
        let mut state = self.lock();
        if state.generation != generation {
            return None;
        }
        state.generation += 1;
        let mut inputs = VecDeque::from([first]);
        inputs.extend(state.round.drain(..));
        for input in &mut inputs {
            if let Input::Message { fresh, .. } = input {
                *fresh = false;
            }
        }
        state.together = inputs.len();
        inputs.append(&mut state.waiting);
        state.waiting = inputs;
        self.arrived.notify_all();
        Some(state.generation)
    }

    /// Nothing more comes; what waits is still handled.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.rooms.close();
        self.arrived.notify_all();
    }
}
