//! What a shard does now and then: checkpoints, and the purge of records whose time is over.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use infinitic_core::{InstanceId, Timestamp, codec};

use super::checkpoint::LAG;
use super::layout::{self, Purgeable};
use super::shard::Shard;
use crate::backend::{ReadRows, RowOp, StoreError, Table};
use crate::mailbox::shard_of;

/// Instances purged in one round: their deletes share a commit with live work, and must not delay
/// it. Rounds follow each other until nothing is due, so this limits no rate.
const PURGED_AT_ONCE: usize = 250;

/// When a record is looked at again that something in memory still needs.
const LATER: Duration = Duration::from_secs(60);

impl Shard {
    /// Makes the current state findable; see `checkpoint`.
    pub fn take_checkpoint(&mut self, now: Timestamp) {
        let lag = u64::try_from(LAG.as_millis()).unwrap_or(u64::MAX);
        let time = Timestamp::from_millis(now.as_millis().saturating_sub(lag));
        self.take_checkpoint_at(time);
        self.unlist_resting(now);
    }

    /// The same for all instances that were started before `time`.
    pub(super) fn take_checkpoint_at(&mut self, time: Timestamp) {
        let mut ops = std::mem::take(&mut self.ops);
        for id in self.checkpoint.take(self.number, time, &mut ops) {
            self.settle(id, &mut ops);
        }
        self.ops = ops;
    }

    /// Whether a checkpoint would write anything of use.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.checkpoint.has_changes() || self.may_unlist()
    }

    /// Removes records whose retention time is over, some in each round until none is due.
    ///
    /// # Errors
    /// When rows cannot be read; what is left is removed the next time.
    pub fn purge(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.purging = Some(layout::purge_key(self.number, Timestamp::default()));
        self.purge_on(now)
    }

    /// Whether records are left whose retention time is over: for [`Shard::purge_on`] in the next
    /// round.
    #[must_use]
    pub fn is_purging(&self) -> bool {
        self.purging.is_some()
    }

    /// Goes on with the purge where the round before has left it.
    ///
    /// # Errors
    /// As [`Shard::purge`].
    pub fn purge_on(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(from) = self.purging.take() else {
            return Ok(());
        };
        let to = layout::purge_key(self.number, now + Duration::from_millis(1));
        let due = read_pages(&*self.store, &from, Some(&to), PURGED_AT_ONCE)?;
        if due.iter().map(|page| page.instances.len()).sum::<usize>() >= PURGED_AT_ONCE {
            // The removal of these rows may not be durable when the next round looks: it begins
            // after.
            self.purging = due.last().map(|page| [page.key.as_slice(), &[0]].concat());
        }
        for page in due {
            // Listed before the number of shards changed: only its owner knows what is in its
            // memory.
            let (own, others) = page
                .instances
                .into_iter()
                .partition(|(id, _)| shard_of(*id, self.total) == usize::from(self.number));
            self.ops.extend(listed_anew(page.at, others, self.total));
            let ids: Vec<InstanceId> = own.iter().map(|(id, _)| *id).collect();
            self.store.prefetch(&ids)?;
            let mut later = Vec::new();
            for (id, rows) in own {
                if !self.purge_one(id, rows)? {
                    later.push((id, rows));
                }
            }
            self.ops.extend(listed_anew(now + LATER, later, self.total));
            self.ops.push(layout::remove_purge(&page.key));
        }
        Ok(())
    }

    /// Removes one record, unless it was reopened after it was listed. False when it cannot be yet.
    fn purge_one(&mut self, id: InstanceId, rows: u32) -> Result<bool, StoreError> {
        if let Some(slot) = self.slots.get(&id) {
            let is_ended = slot
                .instance
                .as_ref()
                .is_some_and(|instance| instance.status().is_ended());
            if slot.rows != rows || !is_ended {
                return Ok(true);
            }
            self.forget(id, true);
            if self.slots.contains_key(&id) {
                return Ok(false);
            }
        }
        // A row beyond those counted: it was reopened, and will be listed again at its end.
        let next = layout::history_key(id, rows);
        if self.store.get(Table::History, &next)?.is_none() {
            self.ops
                .extend((0..rows).map(|row| layout::remove_history(id, row)));
        }
        Ok(true)
    }
}

/// One purge row.
struct Page {
    key: Vec<u8>,
    at: Timestamp,
    instances: Vec<Purgeable>,
}

fn read_pages(
    store: &dyn ReadRows,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Page>, StoreError> {
    let mut pages: Vec<Page> = Vec::new();
    let mut count = 0;
    let mut visit = |key: &[u8], value: &[u8]| {
        let instances: Vec<Purgeable> = codec::decode_value(value).unwrap_or_else(|error| {
            tracing::error!("a purge row is damaged and was dropped: {error}");
            Vec::new()
        });
        count += instances.len();
        pages.push(Page {
            key: key.to_vec(),
            at: layout::parse_purge_key(key).map_or_else(Timestamp::default, |(_, at)| at),
            instances,
        });
        if count < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    store.scan(Table::Purge, from, to, &mut visit)?;
    Ok(pages)
}

/// Lists instances for the purge by their owners.
fn listed_anew(
    at: Timestamp,
    instances: Vec<Purgeable>,
    shards: usize,
) -> impl Iterator<Item = RowOp> {
    let mut by_owner: BTreeMap<u16, Vec<Purgeable>> = BTreeMap::new();
    for (id, rows) in instances {
        let owner = u16::try_from(shard_of(id, shards)).expect("there are at most 65,536 shards");
        by_owner.entry(owner).or_default().push((id, rows));
    }
    by_owner
        .into_iter()
        .map(move |(owner, instances)| layout::put_purge(owner, at, &instances))
}

/// Lists for the shards that there are what was listed for shards that are no more.
pub(super) fn adopt_purges(store: &dyn ReadRows, shards: usize) -> Result<Vec<RowOp>, StoreError> {
    let mut ops = Vec::new();
    let Ok(first_gone) = u16::try_from(shards) else {
        return Ok(ops);
    };
    let from = layout::purge_key(first_gone, Timestamp::default());
    for page in read_pages(store, &from, None, usize::MAX)? {
        ops.extend(listed_anew(page.at, page.instances, shards));
        ops.push(layout::remove_purge(&page.key));
    }
    Ok(ops)
}
