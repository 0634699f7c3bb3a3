//! After a start of the process: find the open instances and hand each to its shard.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use infinitic_core::{InstanceId, Timestamp};

use super::layout;
use super::load::{self, Fold};
use super::maintenance::adopt_purges;
use super::shard::Shard;
use crate::backend::{ReadRows, StoreError, Table};
use crate::mailbox::shard_of;

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Open instances.
    pub open: usize,
}

/// Hands each open instance to its shard, of those given; `total` is how many there are in all.
/// `flush` is called after each instance, so that what the shards write and send does not pile up.
///
/// # Errors
/// When rows cannot be read or are damaged.
pub fn recover(
    store: &dyn ReadRows,
    shards: &mut [Shard],
    total: usize,
    now: Timestamp,
    flush: &mut dyn FnMut(&mut Shard),
) -> Result<Recovered, StoreError> {
    let watermarks = Watermarks::read(store)?;
    let watermark = watermarks.lowest();
    watermarks.hand_over(store, shards, total)?;
    let mut recovered = Recovered::default();
    let mut adopt = |shards: &mut [Shard], id: InstanceId, fold: Option<Fold>, listed: bool| {
        let owner = shard_of(id, total);
        let Some(shard) = shards
            .iter_mut()
            .find(|shard| usize::from(shard.number) == owner)
        else {
            return Ok(());
        };
        let loaded = match fold {
            Some(fold) => fold.finish(),
            None => load::load(store, id)?,
        };
        match loaded {
            Some(loaded) => {
                recovered.open += usize::from(!loaded.instance.status().is_ended());
                shard.adopt(loaded, listed, now)?;
            }
            // Purged before its index row was removed.
            None => shard.ops.push(layout::remove_open(id)),
        }
        flush(shard);
        Ok::<(), StoreError>(())
    };
    let listed = read_listed(store)?;
    for (id, row) in &listed {
        for shard in shards.iter_mut() {
            shard.found_listed(*id, row);
        }
        adopt(shards, *id, None, true)?;
    }
    scan_unlisted(store, watermark, &listed, &mut |id, fold| {
        adopt(shards, id, Some(fold), false)
    })?;
    Ok(recovered)
}

/// The watermarks of the process before.
struct Watermarks(BTreeMap<u16, InstanceId>);

impl Watermarks {
    fn read(store: &dyn ReadRows) -> Result<Self, StoreError> {
        let mut rows = BTreeMap::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            let row = (layout::parse_watermark_key(key), layout::parse_id(value));
            if let (Some(shard), Some(id)) = row {
                rows.insert(shard, id);
            }
            ControlFlow::Continue(())
        };
        let (from, to) = (layout::WATERMARKS, layout::WATERMARKS_END);
        store.scan(Table::Meta, from, Some(to), &mut visit)?;
        Ok(Self(rows))
    }

    fn lowest(&self) -> Option<InstanceId> {
        self.0.values().min().copied()
    }

    /// Gives each shard its watermark.
    ///
    /// When the number of shards has changed, instances have new owners, whose watermarks say
    /// nothing about them: all begin again at the lowest. Every shard writes that down for all of
    /// them, in its first commit: whichever of them raises its own first, the others' stay low
    /// until they have listed what they took over. A shard without a row would count as one that
    /// has listed all.
    fn hand_over(
        &self,
        store: &dyn ReadRows,
        shards: &mut [Shard],
        total: usize,
    ) -> Result<(), StoreError> {
        let same = self.0.len() == total && self.0.keys().all(|shard| usize::from(*shard) < total);
        for shard in shards.iter_mut() {
            shard.total = total;
            if same {
                let own = self.0.get(&shard.number).copied();
                shard.checkpoint.set_watermark(own);
                continue;
            }
            let lowest = self.lowest().unwrap_or_else(layout::lowest_id);
            shard.checkpoint.set_watermark(Some(lowest));
            let all = (0..total).filter_map(|number| u16::try_from(number).ok());
            shard
                .ops
                .extend(all.map(|number| layout::put_watermark(number, lowest)));
            // One of them clears up: as long as it has not, the next recovery sees the change
            // again.
            if shard.number == 0 {
                let gone = self.0.keys().filter(|shard| usize::from(**shard) >= total);
                shard
                    .ops
                    .extend(gone.map(|number| layout::remove_watermark(*number)));
                shard.ops.extend(adopt_purges(store, total)?);
            }
        }
        Ok(())
    }
}

fn read_listed(store: &dyn ReadRows) -> Result<BTreeMap<InstanceId, Vec<u8>>, StoreError> {
    let mut listed = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        listed.extend(layout::parse_id(key).map(|id| (id, value.to_vec())));
        ControlFlow::Continue(())
    };
    store.scan(Table::Open, &[], None, &mut visit)?;
    Ok(listed)
}

/// Visits the instances from the watermark on that are not listed, with their rows folded.
fn scan_unlisted(
    store: &dyn ReadRows,
    watermark: Option<InstanceId>,
    listed: &BTreeMap<InstanceId, Vec<u8>>,
    found: &mut dyn FnMut(InstanceId, Fold) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let from = watermark
        .map(|id| id.as_bytes().to_vec())
        .unwrap_or_default();
    let mut current: Option<(InstanceId, Fold)> = None;
    let mut failed = None;
    let mut visit = |key: &[u8], value: &[u8]| {
        let result = (|| {
            let Some((id, row)) = layout::parse_history_key(key) else {
                return Err(StoreError::Damaged(
                    "a history row has no key of ours".to_owned(),
                ));
            };
            if listed.contains_key(&id) {
                return Ok(());
            }
            let (header, entries) = load::decode(id, row, value)?;
            match &mut current {
                Some((same, fold)) if *same == id => fold.add(id, header, entries),
                _ => {
                    if let Some((before, fold)) = current.take() {
                        found(before, fold)?;
                    }
                    let mut fold = Fold::default();
                    fold.add(id, header, entries);
                    current = Some((id, fold));
                }
            }
            Ok(())
        })();
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    store.scan(Table::History, &from, None, &mut visit)?;
    if let Some(error) = failed {
        return Err(error);
    }
    match current {
        Some((last, fold)) => found(last, fold),
        None => Ok(()),
    }
}
