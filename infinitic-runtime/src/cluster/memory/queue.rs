//! One topic of the broker in this process: who reads it, and what nobody has acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::super::transport::{Delivery, Reading, Window};

/// Number of a reader, given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReaderId(pub(super) u64);

#[derive(Debug)]
struct Message {
    payload: Bytes,
    redeliveries: u32,
}

#[derive(Debug)]
struct Place {
    reading: Reading,
    window: Window,
    /// Messages that it holds, and their bytes.
    held: BTreeSet<u64>,
    bytes: usize,
    /// What came since it began, for one that reads what everybody reads.
    own: VecDeque<(u64, Bytes)>,
}

/// A topic. Messages are numbered; a delivery's tag is the message's number.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    /// Not delivered, or delivered in vain.
    waiting: BTreeMap<u64, Message>,
    /// Delivered and not acknowledged.
    delivered: BTreeMap<u64, (ReaderId, Message)>,
    readers: BTreeMap<ReaderId, Place>,
}

impl Queue {
    pub(super) fn push(&mut self, payload: Bytes) {
        self.next += 1;
        let message = Message {
            payload,
            redeliveries: 0,
        };
        self.waiting.insert(self.next, message);
    }

    /// To every reader that is there, and to nobody else.
    pub(super) fn push_to_all(&mut self, payload: &Bytes) {
        self.next += 1;
        for place in self.readers.values_mut() {
            place.own.push_back((self.next, payload.clone()));
        }
    }

    pub(super) fn is_free(&self) -> bool {
        self.readers.is_empty()
    }

    pub(super) fn backlog(&self) -> usize {
        self.waiting.len() + self.delivered.len()
    }

    /// A reader joins. One of a higher rank than all others takes what they hold.
    pub(super) fn open(&mut self, id: ReaderId, reading: Reading, window: Window) {
        let before = self.active();
        let place = Place {
            reading,
            window,
            held: BTreeSet::new(),
            bytes: 0,
            own: VecDeque::new(),
        };
        self.readers.insert(id, place);
        if let Some(before) = before
            && self.active() != Some(before)
        {
            self.take_back(before);
        }
    }

    /// A reader is gone: what it holds goes to another. One that did not say that it ends may have
    /// died of what it held: that is counted.
    pub(super) fn leave(&mut self, id: ReaderId, orderly: bool) {
        if !orderly && let Some(place) = self.readers.get(&id) {
            for number in &place.held {
                if let Some((_, message)) = self.delivered.get_mut(number) {
                    message.redeliveries += 1;
                }
            }
        }
        self.take_back(id);
        self.readers.remove(&id);
    }

    /// What every reader holds is delivered again, as after the broker was away.
    pub(super) fn redeliver_all(&mut self) {
        let readers: Vec<ReaderId> = self.readers.keys().copied().collect();
        for id in readers {
            self.take_back(id);
        }
    }

    /// The lone reader that gets messages: of the highest rank; of equals, the first.
    fn active(&self) -> Option<ReaderId> {
        let lone = self.readers.iter().filter_map(|(id, place)| {
            let Reading::Alone { rank } = place.reading else {
                return None;
            };
            Some((rank, std::cmp::Reverse(*id)))
        });
        lone.max().map(|(_, id)| id.0)
    }

    fn take_back(&mut self, id: ReaderId) {
        let Some(place) = self.readers.get_mut(&id) else {
            return;
        };
        place.bytes = 0;
        for number in std::mem::take(&mut place.held) {
            self.wait_again(number);
        }
    }

    fn wait_again(&mut self, number: u64) {
        if let Some((_, message)) = self.delivered.remove(&number) {
            self.waiting.insert(number, message);
        }
    }

    /// Messages for a reader, at most `limit`, as far as its window goes.
    pub(super) fn take(&mut self, id: ReaderId, limit: usize) -> Vec<Delivery> {
        let active = self.active();
        let mut given = Vec::new();
        let Some(place) = self.readers.get_mut(&id) else {
            return given;
        };
        if place.reading == Reading::All {
            let count = limit.min(place.own.len());
            given.extend(place.own.drain(..count).map(|(tag, payload)| Delivery {
                tag,
                payload,
                redeliveries: 0,
            }));
            return given;
        }
        if matches!(place.reading, Reading::Alone { .. }) && active != Some(id) {
            return given;
        }
        while given.len() < limit
            && place.held.len() < place.window.messages
            && (place.held.is_empty() || place.bytes < place.window.bytes)
            && let Some((number, message)) = self.waiting.pop_first()
        {
            place.held.insert(number);
            place.bytes += message.payload.len();
            given.push(Delivery {
                tag: number,
                payload: message.payload.clone(),
                redeliveries: message.redeliveries,
            });
            self.delivered.insert(number, (id, message));
        }
        given
    }

    /// Settled, whoever holds them by now: a message that was delivered twice is done once it was
    /// acknowledged once.
    pub(super) fn acknowledge(&mut self, id: ReaderId, tags: &[u64]) {
        for tag in tags {
            let holder = self.delivered.get(tag).map_or(id, |(holder, _)| *holder);
            self.let_go(holder, *tag);
            self.delivered.remove(tag);
            self.waiting.remove(tag);
        }
    }

    pub(super) fn give_back(&mut self, id: ReaderId, tags: &[u64]) {
        for tag in tags {
            if self.let_go(id, *tag) {
                self.wait_again(*tag);
            }
        }
    }

    /// A reader holds a message no more. False when it did not.
    fn let_go(&mut self, id: ReaderId, tag: u64) -> bool {
        let Some(place) = self.readers.get_mut(&id) else {
            return false;
        };
        let held = place.held.remove(&tag);
        if held && let Some((_, message)) = self.delivered.get(&tag) {
            place.bytes = place.bytes.saturating_sub(message.payload.len());
        }
        held
    }
}
