//! Which instances were used least recently: for eviction from memory.

use std::collections::VecDeque;

use infinitic_core::InstanceId;

/// Instances in the order of their use. An instance stands here once for each use; only the pair
/// with its latest use counts, the others are skipped.
#[derive(Debug, Default)]
pub(crate) struct UseOrder(VecDeque<(u64, InstanceId)>);

impl UseOrder {
    pub(crate) fn used(&mut self, at: u64, id: InstanceId) {
        self.0.push_back((at, id));
    }

    /// The least recent use on record, which may be stale.
    pub(crate) fn pop(&mut self) -> Option<(u64, InstanceId)> {
        self.0.pop_front()
    }

    /// Puts back what could not be evicted: it is looked at first next time.
    pub(crate) fn put_back(&mut self, at: u64, id: InstanceId) {
        self.0.push_front((at, id));
    }

    /// Drops stale pairs when they outnumber the instances.
    pub(crate) fn shrink(&mut self, instances: usize, is_latest: impl Fn(u64, InstanceId) -> bool) {
        if self.0.len() > 4 * instances + 1024 {
            self.0.retain(|(at, id)| is_latest(*at, *id));
        }
    }
}
