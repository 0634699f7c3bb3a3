//! Attempts that were cancelled, and may still come: a cancel overtakes an attempt that lies in the
//! broker, and the broker may bring again what was cancelled here.

use std::collections::{HashMap, VecDeque};

use infinitic_core::CommandId;

use crate::worker::Which;

/// Cancels that are remembered: those of the last minutes in a busy worker.
const KEPT: usize = 4_096;

/// The last cancels. An older one is forgotten: its attempt would run, and its end be ignored.
#[derive(Debug, Default)]
pub(crate) struct Unwanted {
    last: HashMap<CommandId, Which>,
    order: VecDeque<CommandId>,
}

impl Unwanted {
    /// An attempt, and all before it, are not wanted any more.
    pub(crate) fn note(&mut self, id: CommandId, which: Which) {
        if let Some(known) = self.last.get_mut(&id) {
            *known = which.max(*known);
            return;
        }
        if self.order.len() == KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.last.remove(&oldest);
        }
        self.last.insert(id, which);
        self.order.push_back(id);
    }

    /// Whether an attempt was cancelled.
    pub(crate) fn has(&self, id: CommandId, which: Which) -> bool {
        self.last.get(&id).is_some_and(|last| which <= *last)
    }
}

#[cfg(test)]
mod tests {
    use infinitic_core::{Attempt, InstanceId, Position, Reopening, RunNo, Sequence, Timestamp};

    use super::*;

    fn id(position: u32) -> CommandId {
        CommandId {
            instance: InstanceId::new(Timestamp::from_millis(1), 1, 0),
            run: RunNo(0),
            reopening: Reopening(0),
            position: Position(position),
        }
    }

    fn which(sequence: u32, attempt: u32) -> Which {
        Which {
            sequence: Sequence(sequence),
            attempt: Attempt(attempt),
        }
    }

    #[test]
    fn what_was_cancelled_is_known_with_all_before_it() {
        let mut unwanted = Unwanted::default();
        unwanted.note(id(1), which(0, 2));
        assert!(unwanted.has(id(1), which(0, 0)) && unwanted.has(id(1), which(0, 2)));
        assert!(!unwanted.has(id(1), which(0, 3)) && !unwanted.has(id(1), which(1, 0)));
        assert!(!unwanted.has(id(2), which(0, 0)));
        // A cancel that comes late takes nothing back.
        unwanted.note(id(1), which(0, 1));
        assert!(unwanted.has(id(1), which(0, 2)));
    }

    #[test]
    fn only_the_last_cancels_are_kept() {
        let mut unwanted = Unwanted::default();
        let all = u32::try_from(KEPT).expect("it is small") + 1;
        for position in 0..all {
            unwanted.note(id(position), which(0, 0));
        }
        assert!(!unwanted.has(id(0), which(0, 0)));
        assert!(unwanted.has(id(1), which(0, 0)) && unwanted.has(id(all - 1), which(0, 0)));
        assert_eq!(unwanted.last.len(), KEPT);
    }
}
