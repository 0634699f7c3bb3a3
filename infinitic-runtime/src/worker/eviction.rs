//! What leaves a shard's memory, and when: ended instances once they are durable, others by least
//! recent use.

use infinitic_core::InstanceId;

use super::shard::{Shard, Slot};

impl Shard {
    /// Learns that commits up to `number` are durable, and drops from memory what may leave it.
    pub fn made_durable(&mut self, number: u64) {
        self.durable = self.durable.max(number);
        while let Some((commit, id)) = self.retiring.front().copied() {
            if commit > self.durable {
                break;
            }
            self.retiring.pop_front();
            self.forget(id, true);
        }
        self.evict_futures();
        self.evict_states();
    }

    /// Drops live futures beyond the limit. An instance with an open step keeps its own until its
    /// next use, which the end of the step is.
    fn evict_futures(&mut self) {
        while self.warm > self.settings.warm_max {
            let Some((used, id)) = self.used_warm.pop() else {
                return;
            };
            let durable = self.durable;
            let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.used == used) else {
                continue;
            };
            if slot.is_busy(durable) {
                self.used_warm.put_back(used, id);
                return;
            }
            if slot.has_open_steps() {
                continue;
            }
            self.drop_live(id);
        }
        let slots = &self.slots;
        let is_latest = |used, id| {
            slots
                .get(&id)
                .is_some_and(|slot: &Slot| slot.used == used && slot.live.is_some())
        };
        self.used_warm.shrink(self.warm, is_latest);
    }

    fn evict_states(&mut self) {
        while self.slots.len() > self.settings.cached_max {
            let Some((used, id)) = self.used_cached.pop() else {
                return;
            };
            let durable = self.durable;
            let Some(slot) = self.slots.get_mut(&id).filter(|slot| slot.used == used) else {
                continue;
            };
            if slot.is_busy(durable) {
                self.used_cached.put_back(used, id);
                return;
            }
            if slot.has_open_steps() || !self.may_leave(id) {
                continue;
            }
            self.forget(id, false);
        }
        let slots = &self.slots;
        let is_latest = |used, id| slots.get(&id).is_some_and(|slot: &Slot| slot.used == used);
        self.used_cached.shrink(slots.len(), is_latest);
    }

    /// Drops a slot if nothing of it is still on its way to the store.
    pub(super) fn forget(&mut self, id: InstanceId, only_ended: bool) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let ended = slot
            .instance
            .as_ref()
            .is_some_and(|i| i.status().is_ended());
        if slot.is_busy(self.durable) || slot.has_open_steps() || (only_ended && !ended) {
            return;
        }
        if slot
            .instance
            .as_ref()
            .is_some_and(|instance| !instance.waiting.is_empty())
        {
            return;
        }
        self.drop_live(id);
        self.leaves(id);
        self.slots.remove(&id);
    }
}
