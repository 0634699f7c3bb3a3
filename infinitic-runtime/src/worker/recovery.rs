//! After a start of the process: find the open instances and hand each to its shard.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use infinitic_core::{InstanceId, Timestamp};

use super::layout;
use super::load::{self, Fold};
use super::shard::Shard;
use crate::backend::{KeyValue, RowOp, StoreError, Table};
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
    store: &Arc<dyn KeyValue>,
    shards: &mut [Shard],
    total: usize,
    now: Timestamp,
    flush: &mut dyn FnMut(&mut Shard),
) -> Result<Recovered, StoreError> {
    let (watermark, stale) = read_watermarks(&**store, total)?;
    for shard in shards.iter_mut() {
        shard.checkpoint.set_watermark(watermark);
    }
    shards[0].ops.extend(stale);
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
            None => load::load(&**store, id)?,
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
    let listed = read_listed(&**store)?;
    for id in &listed {
        adopt(shards, *id, None, true)?;
    }
    scan_unlisted(&**store, watermark, &listed, &mut |id, fold| {
        adopt(shards, id, Some(fold), false)
    })?;
    Ok(recovered)
}

/// The lowest watermark, and what removes those of shards that are no more.
fn read_watermarks(
    store: &dyn KeyValue,
    shards: usize,
) -> Result<(Option<InstanceId>, Vec<RowOp>), StoreError> {
    let mut lowest = None;
    let mut stale = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        if let (Some(shard), Some(id)) = (layout::parse_watermark_key(key), layout::parse_id(value))
        {
            lowest = Some(lowest.map_or(id, |lowest: InstanceId| lowest.min(id)));
            if usize::from(shard) >= shards {
                stale.push(layout::remove_watermark(shard));
            }
        }
        ControlFlow::Continue(())
    };
    store.scan(
        Table::Meta,
        layout::WATERMARKS,
        Some(layout::WATERMARKS_END),
        &mut visit,
    )?;
    Ok((lowest, stale))
}

fn read_listed(store: &dyn KeyValue) -> Result<BTreeSet<InstanceId>, StoreError> {
    let mut listed = BTreeSet::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        listed.extend(layout::parse_id(key));
        ControlFlow::Continue(())
    };
    store.scan(Table::Open, &[], None, &mut visit)?;
    Ok(listed)
}

/// Visits the instances from the watermark on that are not listed, with their rows folded.
fn scan_unlisted(
    store: &dyn KeyValue,
    watermark: Option<InstanceId>,
    listed: &BTreeSet<InstanceId>,
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
            if listed.contains(&id) {
                return Ok(());
            }
            let (_, entries) = load::decode(id, row, value)?;
            match &mut current {
                Some((same, fold)) if *same == id => fold.add(id, entries),
                _ => {
                    if let Some((before, fold)) = current.take() {
                        found(before, fold)?;
                    }
                    let mut fold = Fold::default();
                    fold.add(id, entries);
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
