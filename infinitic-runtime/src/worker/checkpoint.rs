//! How open instances are found again without reading ended ones, at no row per workflow.
//!
//! An instance gets a row in `Open` only when it is still open at the checkpoint after its start;
//! the short-lived majority never does. Ended instances are listed for the purge in few large rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::{InstanceId, Timestamp};

use super::layout::{self, Purgeable};
use crate::backend::RowOp;

/// How long after its start an instance is expected to be over. The watermark stays behind the
/// clock by this, so that short instances end before anything is written for them.
pub(super) const LAG: Duration = Duration::from_secs(2);

/// Instances listed in one purge row: few enough to be purged in one round, many enough for the row
/// to weigh nothing beside theirs.
const PURGE_PAGE: usize = 250;

/// What has changed since the last checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    /// Open instances with an id below this stand in `Open`.
    watermark: Option<InstanceId>,
    /// Open instances that do not stand in `Open`.
    unlisted: BTreeSet<InstanceId>,
    /// Ended instances that stand there.
    to_unlist: Vec<InstanceId>,
    /// Ended instances by purge time.
    to_purge: BTreeMap<Timestamp, Vec<Purgeable>>,
}

impl Checkpoint {
    pub(crate) fn set_watermark(&mut self, watermark: Option<InstanceId>) {
        self.watermark = watermark;
    }

    fn is_below(&self, id: InstanceId) -> bool {
        self.watermark.is_some_and(|watermark| id < watermark)
    }

    /// A new instance. One with an old id (a client's slow clock, a slow network) is listed at
    /// once.
    pub(crate) fn started(&mut self, id: InstanceId, ops: &mut Vec<RowOp>) {
        if self.is_below(id) {
            ops.push(layout::put_open(id, Bytes::new()));
        } else {
            self.unlisted.insert(id);
        }
    }

    /// An instance found open after a start of the process, in `Open` or not.
    pub(crate) fn adopted(&mut self, id: InstanceId, listed: bool) {
        if !listed {
            self.unlisted.insert(id);
        }
    }

    /// An instance found ended, whose end no checkpoint had seen.
    pub(crate) fn found_ended(
        &mut self,
        id: InstanceId,
        listed: bool,
        rows: u32,
        purge_at: Timestamp,
    ) {
        if listed {
            self.to_unlist.push(id);
        }
        self.list_for_purge(id, rows, purge_at);
    }

    /// An instance has ended. Says whether a checkpoint had passed it.
    pub(crate) fn ended(&mut self, id: InstanceId, rows: u32, purge_at: Timestamp) -> bool {
        let was_passed = !self.unlisted.remove(&id);
        if was_passed {
            self.to_unlist.push(id);
        }
        self.list_for_purge(id, rows, purge_at);
        was_passed
    }

    fn list_for_purge(&mut self, id: InstanceId, rows: u32, purge_at: Timestamp) {
        // Rounded up to whole seconds: few groups, few rows.
        let second = Timestamp::from_millis(purge_at.as_millis().div_ceil(1000) * 1000);
        self.to_purge.entry(second).or_default().push((id, rows));
    }

    pub(crate) fn reopened(&mut self, id: InstanceId, ops: &mut Vec<RowOp>) {
        self.to_unlist.retain(|other| *other != id);
        for instances in self.to_purge.values_mut() {
            instances.retain(|(other, _)| *other != id);
        }
        ops.push(layout::put_open(id, Bytes::new()));
    }

    /// Whether a checkpoint has passed an instance: it stands in `Open`, or is at rest.
    pub(crate) fn has_seen(&self, id: InstanceId) -> bool {
        self.is_below(id) && !self.unlisted.contains(&id)
    }

    pub(crate) fn has_changes(&self) -> bool {
        !(self.unlisted.is_empty() && self.to_unlist.is_empty() && self.to_purge.is_empty())
    }

    /// The rows that make the current state findable: those of the index, and the instances that
    /// are to be listed. `now` is the time up to which instances are passed.
    pub(crate) fn take(
        &mut self,
        shard: u16,
        time: Timestamp,
        ops: &mut Vec<RowOp>,
    ) -> BTreeSet<InstanceId> {
        let lowest = InstanceId::lowest_at(time);
        let watermark = self.watermark.map_or(lowest, |old| old.max(lowest));
        let later = self.unlisted.split_off(&watermark);
        let passed = std::mem::replace(&mut self.unlisted, later);
        for id in self.to_unlist.drain(..) {
            ops.push(layout::remove_open(id));
        }
        for (at, instances) in std::mem::take(&mut self.to_purge) {
            for page in instances.chunks(PURGE_PAGE) {
                ops.push(layout::put_purge(shard, at, page));
            }
        }
        if self.watermark != Some(watermark) {
            self.watermark = Some(watermark);
            ops.push(layout::put_watermark(shard, watermark));
        }
        passed
    }
}
