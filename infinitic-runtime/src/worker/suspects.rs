//! Attempts that were running when the process died, and may have been the reason: given out again
//! with care, after some deaths in a row.
//!
//! One by one would be the surest way to find the culprit, and would take a worker with a thousand
//! innocent attempts minutes to be back at work. So those that are suspected for the first time go
//! together, some at a time; those that went before, and were cut again, go alone. An innocent one
//! shares at most one death with the culprit.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use infinitic_core::{CommandId, Timestamp};

/// First-time suspects that run at the same time: few enough that few are suspected again.
const TOGETHER: usize = 32;
/// A suspect that has run for so long is no longer waited for: an attempt may take hours, and what
/// kills a process mostly does so at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which suspects wait, and which run.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    waiting: VecDeque<CommandId>,
    /// Those that must run alone, after all others.
    alone: VecDeque<CommandId>,
    running: BTreeMap<CommandId, Timestamp>,
}

impl Suspects {
    pub(super) fn add(&mut self, id: CommandId) {
        self.waiting.push_back(id);
    }

    /// The attempt has ended, or is not wanted any more.
    pub(super) fn ended(&mut self, id: CommandId) {
        self.running.remove(&id);
    }

    /// The next to be given out, if one may be. `again` says whether it was given out before and
    /// cut.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        again: impl Fn(CommandId) -> bool,
    ) -> Option<CommandId> {
        // A clock that was set back must not make anybody wait.
        self.running
            .retain(|_, since| now >= *since && now.since(*since) < PATIENCE);
        while self.running.len() < TOGETHER
            && let Some(id) = self.waiting.pop_front()
        {
            if again(id) {
                self.alone.push_back(id);
            } else {
                self.running.insert(id, now);
                return Some(id);
            }
        }
        if !self.running.is_empty() || !self.waiting.is_empty() {
            return None;
        }
        let id = self.alone.pop_front()?;
        self.running.insert(id, now);
        Some(id)
    }

    /// Whether there is nothing to be careful about any more.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.alone.is_empty() && self.running.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use infinitic_core::{InstanceId, Position, Reopening, RunNo};

    use super::*;

    fn id(position: u32) -> CommandId {
        CommandId {
            instance: InstanceId::new(Timestamp::from_millis(1), 2, 3),
            run: RunNo(0),
            reopening: Reopening(0),
            position: Position(position),
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Asks until nothing comes.
    fn all(suspects: &mut Suspects, now: Timestamp, again: impl Fn(CommandId) -> bool) -> Vec<u32> {
        std::iter::from_fn(|| suspects.next(now, &again))
            .map(|id| id.position.0)
            .collect()
    }

    #[test]
    fn first_time_suspects_go_together_and_the_others_alone() {
        let mut suspects = Suspects::default();
        (0..40).for_each(|n| suspects.add(id(n)));
        let again = |id: CommandId| id.position.0 < 2;
        assert_eq!(
            all(&mut suspects, at(0), again),
            (2..34).collect::<Vec<_>>()
        );
        (2..34).for_each(|n| suspects.ended(id(n)));
        assert_eq!(
            all(&mut suspects, at(1), again),
            (34..40).collect::<Vec<_>>()
        );
        (34..40).for_each(|n| suspects.ended(id(n)));
        assert_eq!(all(&mut suspects, at(2), again), [0]);
        suspects.ended(id(0));
        assert_eq!(all(&mut suspects, at(3), again), [1]);
        assert!(!suspects.is_done());
        suspects.ended(id(1));
        assert!(suspects.is_done());
    }

    #[test]
    fn nobody_waits_for_a_suspect_that_goes_on_and_on() {
        let mut suspects = Suspects::default();
        suspects.add(id(0));
        suspects.add(id(1));
        let again = |_| true;
        assert_eq!(all(&mut suspects, at(5000), again), [0]);
        assert_eq!(all(&mut suspects, at(5999), again), Vec::<u32>::new());
        assert_eq!(all(&mut suspects, at(6000), again), [1]);
        // The clock was set back.
        assert_eq!(all(&mut suspects, at(10), again), Vec::<u32>::new());
        assert!(suspects.is_done());
    }
}
