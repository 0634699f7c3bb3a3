//! What a reader holds: which messages were given out, which belong to one entry of the broker, and
//! whether there is room for more. No waiting, no network.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use pulsar::proto::MessageIdData;

use crate::cluster::transport::{Delivery, Window};

/// Past so many remembered messages that were given back, all are forgotten.
const COUNTED_MAX: usize = 10_000;

/// The longest pause before a message that is given back again and again comes again.
const RETURN_MAX: Duration = Duration::from_secs(1);

/// An entry of the broker.
pub(super) type Entry = (u64, u64);

/// A message as it came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) id: MessageIdData,
    /// Messages in its entry, when they share one: other programs may send such.
    pub(super) batch: Option<usize>,
    pub(super) payload: Bytes,
}

#[derive(Debug)]
struct Out {
    entry: Entry,
    index: i32,
    bytes: usize,
}

/// Messages that share an entry, which is acknowledged as a whole.
#[derive(Debug)]
struct Shared {
    id: MessageIdData,
    size: usize,
    settled: BTreeSet<i32>,
}

/// What a reader holds.
#[derive(Debug)]
pub(super) struct Held {
    window: Window,
    next_tag: u64,
    bytes: usize,
    out: BTreeMap<u64, Out>,
    by_id: HashMap<(Entry, i32), u64>,
    shared: HashMap<Entry, Shared>,
    returned: HashMap<(Entry, i32), u32>,
}

fn entry(id: &MessageIdData) -> Entry {
    (id.ledger_id, id.entry_id)
}

/// The id of the whole entry.
fn whole(id: &MessageIdData) -> MessageIdData {
    MessageIdData {
        batch_index: None,
        ack_set: Vec::new(),
        ..id.clone()
    }
}

fn id_of(out: &Out) -> MessageIdData {
    MessageIdData {
        ledger_id: out.entry.0,
        entry_id: out.entry.1,
        ..MessageIdData::default()
    }
}

impl Held {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            next_tag: 0,
            bytes: 0,
            out: BTreeMap::new(),
            by_id: HashMap::new(),
            shared: HashMap::new(),
            returned: HashMap::new(),
        }
    }

    /// Whether another message may be given out. One that is larger than the window passes alone.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < self.window.messages.max(1)
            && (self.out.is_empty() || self.bytes < self.window.bytes)
    }

    /// Whether this message is still given out, or settled within an entry that is not: then it
    /// came again because the connection broke, and must not be given out twice.
    pub(super) fn knows(&self, came: &Came) -> bool {
        let (entry, index) = (entry(&came.id), came.id.batch_index.unwrap_or(-1));
        self.by_id.contains_key(&(entry, index))
            || self
                .shared
                .get(&entry)
                .is_some_and(|shared| shared.settled.contains(&index))
    }

    /// Gives a message out.
    pub(super) fn give(&mut self, came: Came) -> Delivery {
        let (entry, index) = (entry(&came.id), came.id.batch_index.unwrap_or(-1));
        let tag = self.next_tag;
        self.next_tag += 1;
        if let Some(size) = came.batch {
            self.shared.entry(entry).or_insert_with(|| Shared {
                id: whole(&came.id),
                size,
                settled: BTreeSet::new(),
            });
        }
        let bytes = came.payload.len();
        self.bytes += bytes;
        self.by_id.insert((entry, index), tag);
        self.out.insert(
            tag,
            Out {
                entry,
                index,
                bytes,
            },
        );
        Delivery {
            tag,
            payload: came.payload,
            // The library keeps to itself what the broker says.
            redeliveries: 0,
        }
    }

    fn take(&mut self, tag: u64) -> Option<Out> {
        let out = self.out.remove(&tag)?;
        self.bytes -= out.bytes;
        self.by_id.remove(&(out.entry, out.index));
        Some(out)
    }

    /// A message is settled: the entry to acknowledge, once all its messages are.
    pub(super) fn settle(&mut self, tag: u64) -> Option<MessageIdData> {
        let out = self.take(tag)?;
        self.returned.remove(&(out.entry, out.index));
        let Some(shared) = self.shared.get_mut(&out.entry) else {
            return Some(id_of(&out));
        };
        shared.settled.insert(out.index);
        if shared.settled.len() < shared.size {
            return None;
        }
        self.shared.remove(&out.entry).map(|shared| shared.id)
    }

    /// How long to keep a message that is given back: not at all the first time, then longer and
    /// longer, so that a reader that never wants it does not keep the broker busy.
    pub(super) fn pause_before_return(&self, tag: u64) -> Duration {
        let out = self.out.get(&tag);
        let times = out.and_then(|out| self.returned.get(&(out.entry, out.index)));
        match times {
            None => Duration::ZERO,
            Some(times) => (Duration::from_millis(25) * (1 << (*times).min(10))).min(RETURN_MAX),
        }
    }

    /// A message is to come again: the entry to ask for.
    pub(super) fn give_back(&mut self, tag: u64) -> Option<MessageIdData> {
        let out = self.take(tag)?;
        if self.returned.len() >= COUNTED_MAX {
            self.returned.clear();
        }
        *self.returned.entry((out.entry, out.index)).or_insert(0) += 1;
        Some(id_of(&out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(entry_id: u64, index: Option<i32>, batch: Option<usize>) -> Came {
        Came {
            id: MessageIdData {
                ledger_id: 1,
                entry_id,
                batch_index: index,
                ..MessageIdData::default()
            },
            batch,
            payload: Bytes::from_static(b"ten bytes!"),
        }
    }

    fn held(messages: usize, bytes: usize) -> Held {
        Held::new(Window { messages, bytes })
    }

    #[test]
    fn room_ends_with_messages_or_bytes() {
        let mut two = held(2, 1_000);
        let first = two.give(came(1, None, None));
        assert!(two.has_room());
        two.give(came(2, None, None));
        assert!(!two.has_room());
        assert_eq!(two.settle(first.tag).expect("settled").entry_id, 1);
        assert!(two.has_room());
        assert_eq!(two.settle(first.tag), None, "once");

        let mut small = held(100, 15);
        assert!(small.has_room());
        small.give(came(1, None, None));
        assert!(small.has_room());
        small.give(came(2, None, None));
        assert!(!small.has_room());
        assert!(held(1, 0).has_room(), "one always passes");
    }

    #[test]
    fn a_shared_entry_is_settled_as_a_whole() {
        let mut held = held(100, 1_000);
        let tags: Vec<u64> = (0..3)
            .map(|index| held.give(came(5, Some(index), Some(3))).tag)
            .collect();
        assert_eq!(held.settle(tags[1]), None);
        assert_eq!(held.settle(tags[0]), None);
        assert!(
            held.knows(&came(5, Some(1), Some(3))),
            "settled, but the entry is not"
        );
        assert!(held.knows(&came(5, Some(2), Some(3))), "still out");
        let id = held.settle(tags[2]).expect("all of it");
        assert_eq!((id.entry_id, id.batch_index), (5, None));
        assert!(!held.knows(&came(5, Some(1), Some(3))));
    }

    #[test]
    fn what_is_given_back_again_and_again_waits_longer() {
        let mut held = held(100, 1_000);
        let mut given = held.give(came(1, None, None));
        assert!(held.knows(&came(1, None, None)));
        for millis in [0, 50, 100, 200, 400, 800, 1_000, 1_000] {
            let pause = held.pause_before_return(given.tag);
            assert_eq!(pause, Duration::from_millis(millis));
            assert_eq!(held.give_back(given.tag).expect("out").entry_id, 1);
            assert_eq!(held.give_back(given.tag), None);
            assert!(!held.knows(&came(1, None, None)));
            given = held.give(came(1, None, None));
        }
        held.settle(given.tag);
        let again = held.give(came(1, None, None));
        assert_eq!(held.pause_before_return(again.tag), Duration::ZERO);
    }
}
