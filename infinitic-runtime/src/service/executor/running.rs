//! The attempts that run or are queued here, by the id of their task: so that they can be
//! cancelled, and that none runs twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic_core::{Attempt, CommandId, Sequence};

use crate::service::task::{Stop, TaskContext};

/// Independent parts, so that the threads of the runtime seldom wait for each other.
const SHARDS: usize = 16;

type Shard = HashMap<CommandId, Arc<TaskContext>>;

/// The attempts that run or are queued.
#[derive(Default)]
pub(super) struct Running {
    shards: [Mutex<Shard>; SHARDS],
}

impl Running {
    fn shard(&self, id: CommandId) -> MutexGuard<'_, Shard> {
        // The random bits of the instance, and the position for instances with many tasks.
        let random = usize::from(id.instance.as_bytes()[13]);
        let index = (random ^ id.position.0 as usize) % SHARDS;
        lock(&self.shards[index])
    }

    /// Registers an attempt; false when it is here already. An older attempt of the same task is
    /// not wanted any more: the engine takes no outcome of it.
    pub(super) fn insert(&self, context: &Arc<TaskContext>) -> bool {
        let id = context.id();
        let mut shard = self.shard(id);
        let number = (context.sequence(), context.attempt());
        match shard.get(&id) {
            Some(known) if (known.sequence(), known.attempt()) >= number => return false,
            Some(older) => older.control.raise(Stop::Cancelled),
            None => {}
        }
        shard.insert(id, Arc::clone(context));
        true
    }

    /// Removes an attempt, unless a newer one has its place.
    pub(super) fn remove(&self, context: &Arc<TaskContext>) {
        let id = context.id();
        let mut shard = self.shard(id);
        if shard
            .get(&id)
            .is_some_and(|known| Arc::ptr_eq(known, context))
        {
            shard.remove(&id);
        }
    }

    /// Removes the attempt of a task.
    pub(super) fn remove_id(&self, id: CommandId) -> Option<Arc<TaskContext>> {
        self.shard(id).remove(&id)
    }

    /// Removes the attempt of a task, unless it is newer than that.
    pub(super) fn remove_up_to(
        &self,
        id: CommandId,
        number: (Sequence, Attempt),
    ) -> Option<Arc<TaskContext>> {
        let mut shard = self.shard(id);
        let known = shard.get(&id)?;
        if (known.sequence(), known.attempt()) > number {
            return None;
        }
        shard.remove(&id)
    }

    pub(super) fn all(&self) -> Vec<Arc<TaskContext>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing panics while it is locked, and a map of handles has no half-changed state.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
