//! What a shard does now and then: checkpoints, and the purge of records whose time is over.

use std::ops::ControlFlow;

use infinitic_core::{Timestamp, codec};

use super::layout::{self, Purgeable};
use super::shard::Shard;
use crate::backend::{StoreError, Table};

/// Instances purged in one round: their deletes share a commit with live work, and must not delay
/// it. Rounds follow each other until nothing is due, so this limits no rate.
const PURGED_AT_ONCE: usize = 250;

impl Shard {
    /// Makes the current state findable; see `checkpoint`.
    pub fn take_checkpoint(&mut self, now: Timestamp) {
        let (number, mut ops) = (self.number, std::mem::take(&mut self.ops));
        self.checkpoint.take(number, now, &mut ops);
        self.ops = ops;
    }

    /// Whether a checkpoint would write anything of use.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.checkpoint.has_changes()
    }

    /// Removes records whose retention time is over, some in each round until none is due.
    ///
    /// # Errors
    /// When rows cannot be read; nothing is removed then.
    pub fn purge(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.purging = Some(layout::purge_key(self.number, Timestamp::default(), None));
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
        let mut due: Vec<(Vec<u8>, Vec<Purgeable>)> = Vec::new();
        let mut count = 0;
        let mut visit = |key: &[u8], value: &[u8]| {
            let page: Vec<Purgeable> = codec::decode_value(value).unwrap_or_else(|error| {
                tracing::error!("a purge row is damaged and was dropped: {error}");
                Vec::new()
            });
            count += page.len();
            due.push((key.to_vec(), page));
            if count < PURGED_AT_ONCE {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let to = layout::purge_key(self.number, now + std::time::Duration::from_millis(1), None);
        self.store
            .scan(Table::Purge, &from, Some(&to), &mut visit)?;
        if count >= PURGED_AT_ONCE {
            // The removal of these rows may not be durable when the next round looks: it begins
            // after.
            self.purging = due.last().map(|(key, _)| [key.as_slice(), &[0]].concat());
        }
        for (key, page) in due {
            for (id, rows) in page {
                // A row beyond those counted: it was reopened, and will be listed again at its end.
                let next = layout::history_key(id, rows);
                if self.store.get(Table::History, &next)?.is_some() {
                    continue;
                }
                for row in 0..rows {
                    self.ops.push(layout::remove_history(id, row));
                }
            }
            self.ops.push(layout::remove_purge(&key));
        }
        Ok(())
    }
}
