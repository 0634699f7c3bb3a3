//! The broker of the simulation: what it holds, to whom it gave it, and what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use infinitic_runtime::cluster::store::Part;

use super::super::rng::Rng;

/// One message of the broker that somebody is to acknowledge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owed {
    /// Of an inbox, as read under a claim.
    Inbox { part: Part, rank: u32, id: u64 },
    /// Of a topic that many share.
    Shared { pool: Pool, id: u64 },
}

/// A topic of which each message goes to one of many readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pool {
    /// Attempts, for those who host the service.
    Tasks,
    /// Turns, for those who host the workflow.
    Turns,
}

/// A reader of an inbox: the member's life, and the claim.
pub(crate) type ReaderKey = (u64, u32);

/// A message that is given to a reader.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) id: u64,
    pub(crate) payload: Bytes,
    pub(crate) redeliveries: u32,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: BTreeMap<u64, Bytes>,
    reader: Option<ReaderKey>,
    /// What each reader was given and has not settled.
    given: BTreeMap<ReaderKey, BTreeSet<u64>>,
    /// Settled by the reader, which the broker was not told.
    unheard: BTreeMap<ReaderKey, BTreeSet<u64>>,
}

#[derive(Debug)]
struct Shared {
    payload: Bytes,
    holder: Option<u64>,
    redeliveries: u32,
    /// Settled by its holder, which the broker was not told.
    unheard: bool,
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    next: u64,
    inboxes: BTreeMap<Part, Inbox>,
    shared: BTreeMap<(Pool, u64), Shared>,
    takers: BTreeSet<(Pool, u64)>,
}

impl Broker {
    pub(crate) fn put_inbox(&mut self, part: &Part, payload: Bytes) {
        self.next += 1;
        let inbox = self.inboxes.entry(part.clone()).or_default();
        inbox.messages.insert(self.next, payload);
    }

    pub(crate) fn put_shared(&mut self, pool: Pool, payload: Bytes) {
        self.next += 1;
        let message = Shared {
            payload,
            holder: None,
            redeliveries: 0,
            unheard: false,
        };
        self.shared.insert((pool, self.next), message);
    }

    /// A reader opens, or opens again. One of a lower rank than the current one gets nothing.
    pub(crate) fn opens(&mut self, part: &Part, reader: ReaderKey) {
        let inbox = self.inboxes.entry(part.clone()).or_default();
        if inbox.reader.is_none_or(|(_, rank)| rank <= reader.1) {
            inbox.reader = Some(reader);
        }
    }

    /// A reader was closed.
    pub(crate) fn closes(&mut self, part: &Part, reader: ReaderKey) {
        let inbox = self.inboxes.entry(part.clone()).or_default();
        if inbox.reader == Some(reader) {
            inbox.reader = None;
        }
    }

    pub(crate) fn takes(&mut self, pool: Pool, life: u64) {
        self.takers.insert((pool, life));
    }

    /// The broker has lost the connection to a member, or a member has gone.
    pub(crate) fn gone(&mut self, life: u64) {
        for inbox in self.inboxes.values_mut() {
            if inbox.reader.is_some_and(|(reader, _)| reader == life) {
                inbox.reader = None;
            }
        }
        self.takers.retain(|(_, taker)| *taker != life);
        self.free_shared(life, |_| true);
    }

    /// A connection breaks and is made again: what was settled without the broker's knowledge is
    /// given again, and attempts may go to others.
    pub(crate) fn breaks(&mut self, life: u64, rng: &mut Rng) {
        for inbox in self.inboxes.values_mut() {
            for (reader, given) in &mut inbox.given {
                if reader.0 == life {
                    let unheard = inbox.unheard.remove(reader).unwrap_or_default();
                    given.retain(|id| !unheard.contains(id));
                }
            }
        }
        self.free_shared(life, |task| task.unheard || rng.chance(500));
    }

    fn free_shared(&mut self, life: u64, mut frees: impl FnMut(&Shared) -> bool) {
        for task in self.shared.values_mut() {
            if task.holder == Some(life) && frees(task) {
                task.holder = None;
                task.unheard = false;
                task.redeliveries += 1;
            }
        }
    }

    /// A member does not want an attempt now.
    pub(crate) fn give_back(&mut self, life: u64, pool: Pool, id: u64) {
        if let Some(task) = self.shared.get_mut(&(pool, id))
            && task.holder == Some(life)
        {
            task.holder = None;
            task.redeliveries += 1;
        }
    }

    /// What the reader of an inbox is to be given now.
    pub(crate) fn give_inbox(
        &mut self,
        part: &Part,
        window: usize,
    ) -> Option<(ReaderKey, Vec<Given>)> {
        let inbox = self.inboxes.get_mut(part)?;
        let reader = inbox.reader?;
        let given = inbox.given.entry(reader).or_default();
        given.retain(|id| inbox.messages.contains_key(id));
        let room = window.saturating_sub(given.len());
        let free = inbox.messages.iter().filter(|(id, _)| !given.contains(id));
        let gives: Vec<Given> = free
            .take(room)
            .map(|(id, payload)| Given {
                id: *id,
                payload: payload.clone(),
                redeliveries: 0,
            })
            .collect();
        given.extend(gives.iter().map(|given| given.id));
        (!gives.is_empty()).then_some((reader, gives))
    }

    /// Attempts or turns that are given to somebody now.
    pub(crate) fn give_shared(
        &mut self,
        pool: Pool,
        window: usize,
        rng: &mut Rng,
    ) -> Vec<(u64, Given)> {
        let mut gives = Vec::new();
        let takers = self.takers.iter().filter(|(of, _)| *of == pool);
        let mut held: BTreeMap<u64, usize> = takers.map(|(_, life)| (*life, 0)).collect();
        let of_pool = (pool, 0)..=(pool, u64::MAX);
        for (_, message) in self.shared.range(of_pool.clone()) {
            if let Some(held) = message.holder.and_then(|holder| held.get_mut(&holder)) {
                *held += 1;
            }
        }
        let messages = self.shared.range_mut(of_pool);
        for ((_, id), message) in messages.filter(|(_, it)| it.holder.is_none()) {
            let free: Vec<u64> = held
                .iter()
                .filter(|(_, held)| **held < window)
                .map(|(life, _)| *life)
                .collect();
            if free.is_empty() {
                break;
            }
            let life = rng.pick(&free);
            held.entry(life).and_modify(|held| *held += 1);
            message.holder = Some(life);
            let given = Given {
                id: *id,
                payload: message.payload.clone(),
                redeliveries: message.redeliveries,
            };
            gives.push((life, given));
        }
        gives
    }

    /// An acknowledgement arrives: of a reader that is gone it may count, or not.
    pub(crate) fn acknowledged(&mut self, life: u64, owed: &Owed, rng: &mut Rng) {
        match owed {
            Owed::Inbox { part, rank, id } => {
                let inbox = self.inboxes.entry(part.clone()).or_default();
                if inbox.reader == Some((life, *rank)) || rng.chance(500) {
                    inbox.messages.remove(id);
                }
            }
            Owed::Shared { pool, id } => {
                let key = (*pool, *id);
                let holder = self.shared.get(&key).map(|task| task.holder);
                if holder == Some(Some(life)) || rng.chance(500) {
                    self.shared.remove(&key);
                }
            }
        }
    }

    /// An acknowledgement gets lost.
    pub(crate) fn unheard(&mut self, life: u64, owed: &Owed) {
        match owed {
            Owed::Inbox { part, rank, id } => {
                let inbox = self.inboxes.entry(part.clone()).or_default();
                inbox.unheard.entry((life, *rank)).or_default().insert(*id);
            }
            Owed::Shared { pool, id } => {
                if let Some(task) = self.shared.get_mut(&(*pool, *id))
                    && task.holder == Some(life)
                {
                    task.unheard = true;
                }
            }
        }
    }

    /// What nobody has acknowledged.
    pub(crate) fn left(&self) -> Vec<String> {
        let inboxes = self
            .inboxes
            .iter()
            .filter(|(_, it)| !it.messages.is_empty());
        let inboxes = inboxes.map(|(part, inbox)| {
            let (count, reader) = (inbox.messages.len(), inbox.reader);
            format!("{count} messages for {part}, read by {reader:?}")
        });
        let shared = self
            .shared
            .iter()
            .map(|((pool, _), message)| format!("one of {pool:?} held by {:?}", message.holder));
        inboxes.chain(shared).collect()
    }
}
