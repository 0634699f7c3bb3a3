//! What arrives at the engine's thread.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use infinitic_core::{CommandId, InstanceId, Message, RunNo};

use super::settle::Settle;
use super::store::{Claim, Epoch, Part};
use super::transport::{Acknowledge, Delivery};
use crate::worker::Which;

/// Inputs taken in one round at most.
const ROUND_MAX: usize = 1_024;

/// Something for the engine's thread.
#[derive(Debug)]
pub(crate) enum Input {
    /// The broker has delivered packets for a partition.
    Packets {
        part: Part,
        epoch: Epoch,
        acknowledger: Arc<dyn Acknowledge>,
        deliveries: Vec<Delivery>,
    },
    /// A message from this process.
    Local(Local),
    /// A partition was claimed.
    Claimed { part: Part, claim: Claim },
    /// A partition is to be given up.
    Release { part: Part },
    /// A round is durable.
    Durable {
        part: Part,
        epoch: Epoch,
        number: u64,
    },
    /// The last round of a partition is durable, and what it sent has arrived.
    Last { part: Part, epoch: Epoch },
    /// A partition has another owner, or something was written behind its owner's back.
    Lost { part: Part, epoch: Epoch },
    /// Attempts are in the broker's hands.
    InBroker {
        part: Part,
        epoch: Epoch,
        ids: Vec<(CommandId, Which)>,
    },
    /// Who is alive.
    Alive(Arc<BTreeSet<String>>),
    /// Code of an instance was woken by something foreign.
    Foreign {
        part: Part,
        id: InstanceId,
        run: RunNo,
    },
}

/// A message from this process to an instance.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) part: Part,
    pub(crate) to: InstanceId,
    pub(crate) message: Message,
    /// Owed once what it led to is safe.
    pub(crate) settles: Vec<Settle>,
}

/// The engine's mailbox.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Input>,
    /// Messages from this process that the round under way has taken: nobody repeats them.
    taken: Vec<Local>,
    /// How many threads were given up.
    generation: u64,
    /// Something that waits wants a round.
    urgent: bool,
    sleeps: bool,
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something that wants a round.
    pub(crate) fn push(&self, input: Input) {
        let mut state = self.lock();
        state.waiting.push_back(input);
        state.urgent = true;
        let wake = std::mem::take(&mut state.sleeps);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Adds what is only to be known in the next round, and is no reason for one.
    pub(crate) fn note(&self, input: Input) {
        self.lock().waiting.push_back(input);
    }

    /// Takes what is there, waiting at most so long for something that wants a round; none when the
    /// inbox was closed, or the thread of that generation was given up.
    pub(crate) fn take(&self, generation: u64, patience: Duration) -> Option<Vec<Input>> {
        let mut state = self.lock();
        if state.generation != generation {
            return None;
        }
        state.taken.clear();
        if !state.urgent && !state.closed {
            state.sleeps = true;
            state = self
                .arrived
                .wait_timeout_while(state, patience, |state| !state.urgent && !state.closed)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.sleeps = false;
        }
        if state.closed || state.generation != generation {
            return None;
        }
        let count = state.waiting.len().min(ROUND_MAX);
        let round: Vec<Input> = state.waiting.drain(..count).collect();
        state.urgent = !state.waiting.is_empty();
        state
            .taken
            .extend(round.iter().filter_map(|input| match input {
                Input::Local(local) => Some(local.clone()),
                _ => None,
            }));
        Some(round)
    }

    /// Whether the thread of a generation is the one that works.
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        self.lock().generation == generation
    }

    /// Gives the thread of a generation up, and begins the next one: with the messages from this
    /// process; the partitions, and what the broker brought for them, are read anew. Answers the
    /// next generation; none when another thread works by now, or none is to.
    pub(crate) fn give_up(&self, generation: u64) -> Option<u64> {
        let mut state = self.lock();
        if state.closed || state.generation != generation {
            return None;
        }
        state.generation += 1;
        let taken = std::mem::take(&mut state.taken);
        let waiting = std::mem::take(&mut state.waiting).into_iter();
        let waiting = waiting.filter(|input| matches!(input, Input::Local(_)));
        state.waiting = taken.into_iter().map(Input::Local).chain(waiting).collect();
        state.urgent = !state.waiting.is_empty();
        Some(state.generation)
    }

    /// Nothing is wanted any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}
