//! A shard's timers: which come next, and how they ring.

use std::time::Duration;

use infinitic_core::{InstanceId, Message, Timestamp};

use super::shard::Shard;
use crate::backend::StoreError;

/// When a timer rings again whose instance cannot be read: its rows are damaged, so not soon.
const RING_AGAIN: Duration = Duration::from_secs(60);

impl Shard {
    /// When the next timer rings.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The instances of the timers that ring next, at most `limit` of them.
    pub(crate) fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Iterator<Item = InstanceId> + '_ {
        let due = self.timers.iter().take_while(move |(due, _)| *due <= now);
        due.take(limit).map(|(_, timer)| timer.id.instance)
    }

    /// Rings the timers that are due, at most `limit` of them.
    ///
    /// # Errors
    /// As [`Shard::handle`]; the timer rings again later, and lets others ring meanwhile.
    pub fn ring(&mut self, now: Timestamp, limit: usize) -> Result<(), StoreError> {
        for _ in 0..limit {
            let Some((due, timer)) = self.timers.first().copied().filter(|(due, _)| *due <= now)
            else {
                return Ok(());
            };
            self.timers.remove(&(due, timer));
            self.unindex(due, timer);
            let rung = self.handle(timer.id.instance, Message::TimerDue { timer }, now.max(due));
            if rung.is_err() {
                self.timers.insert((now + RING_AGAIN, timer));
                return rung;
            }
        }
        Ok(())
    }
}
