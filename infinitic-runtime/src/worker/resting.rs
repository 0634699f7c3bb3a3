//! Instances at rest: in a cluster, what waits for nothing but indexed timers and tasks that are in
//! the broker's hands need not be known to whoever takes a partition over.
//!
//! **Invariant:** an open instance below the watermark either stands in `Open`, or each of its
//! timers has a row in `Timers` and each of its tasks was given to the broker, which has said so.
//! A commit that ends this state lists the instance in the same write.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::instance::OpenKind;
use infinitic_core::{
    Attempt, CommandId, Instance, InstanceId, Sequence, TimerKey, TimerKind, Timestamp, codec,
};
use serde::{Deserialize, Serialize};

use super::layout;
use super::shard::Shard;
use crate::backend::{RowOp, StoreError, Table};

/// How long an instance must have been left alone before it is taken from `Open`: one that goes on
/// now and then would be listed again each time.
const QUIET: Duration = Duration::from_secs(2);
/// Listed instances that a checkpoint looks at, at most.
const LOOKED_AT: usize = 2_000;
/// How far ahead timers are read from their index.
const HORIZON: Duration = Duration::from_secs(60);
/// Timers read from their index at once.
const TIMERS_READ: usize = 20_000;

/// One attempt of a task or step: which of all that it ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Which {
    /// How often the task was started anew by hand.
    pub sequence: Sequence,
    /// Number of the attempt in that sequence.
    pub attempt: Attempt,
}

impl Which {
    /// The first attempt of all.
    pub(crate) const FIRST: Self = Self {
        sequence: Sequence(0),
        attempt: Attempt(0),
    };
    /// None comes after it.
    pub(crate) const LAST: Self = Self {
        sequence: Sequence(u32::MAX),
        attempt: Attempt(u32::MAX),
    };
}

/// Where the attempt of an open task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// In the topic of its service: the broker has confirmed it.
    Broker,
    /// With a member of the fleet, which runs it or has it queued.
    Home(String),
}

/// What a shard knows beside its instances when its store is shared.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// Open instances with a row in `Open`.
    listed: BTreeSet<InstanceId>,
    /// The same, in the order in which they are looked at.
    looks: VecDeque<InstanceId>,
    /// Where tasks are that are not simply here.
    places: HashMap<CommandId, (Which, Place)>,
    /// Timers due before this have been read from their index.
    read_until: Timestamp,
    /// Where the reading goes on.
    reads_on: Option<Vec<u8>>,
    /// Attempts that were open when the partition was taken over.
    pub(super) orphans: Vec<CommandId>,
    /// Who this is: tasks without a place are with it.
    member: String,
    /// The latest time that was heard of.
    pub(super) now: Timestamp,
}

impl Resting {
    fn list(&mut self, id: InstanceId) {
        if self.listed.insert(id) {
            self.looks.push_back(id);
        }
    }

    /// What the row of an instance in `Open` says: where its tasks are.
    fn row(&self, instance: Option<&Instance>) -> Bytes {
        let Some(instance) = instance else {
            return Bytes::new();
        };
        let places: Vec<(CommandId, Which, Place)> = given_out(instance, self.now)
            .map(|(id, which)| {
                let here = || Place::Home(self.member.clone());
                (
                    id,
                    which,
                    self.place(id, which).cloned().unwrap_or_else(here),
                )
            })
            .collect();
        if places.is_empty() {
            return Bytes::new();
        }
        codec::encode_value(&places).into()
    }

    /// Where an attempt is; what is known of an older one tells nothing.
    fn place(&self, id: CommandId, which: Which) -> Option<&Place> {
        let (known, place) = self.places.get(&id)?;
        (*known == which).then_some(place)
    }

    /// The timers of an instance that may rest; none when it may not.
    fn timers(&self, instance: &Instance) -> Option<Vec<(Timestamp, TimerKey)>> {
        let is_quiet = instance.stopped.is_none() && !instance.has_open_step();
        let in_broker = |(id, which)| self.place(id, which) == Some(&Place::Broker);
        let rests = is_quiet && given_out(instance, self.now).all(in_broker);
        rests.then(|| timers(instance, self.now))
    }
}

/// The tasks of an instance whose current attempt was given out.
fn given_out(instance: &Instance, now: Timestamp) -> impl Iterator<Item = (CommandId, Which)> {
    let now = now.max(instance.changed_at);
    instance.runs.iter().flat_map(move |(run, state)| {
        state.open.iter().filter_map(move |(position, open)| {
            let OpenKind::Task(task) = &open.kind else {
                return None;
            };
            let id = instance.command_id(*run, *position, open);
            let which = Which {
                sequence: open.sequence,
                attempt: task.attempts.current,
            };
            task.attempts
                .pause_until(now)
                .is_none()
                .then_some((id, which))
        })
    })
}

/// The timers of an instance.
fn timers(instance: &Instance, now: Timestamp) -> Vec<(Timestamp, TimerKey)> {
    let now = now.max(instance.changed_at);
    let again = instance.turn_retry_due();
    let mut timers: Vec<_> = again
        .map(|due| (due, TimerKey::of_turn(instance.id)))
        .into_iter()
        .collect();
    for (run, state) in &instance.runs {
        for (position, open) in &state.open {
            let id = instance.command_id(*run, *position, open);
            let mut add = |kind, due: Option<Timestamp>| {
                timers.extend(due.map(|due| (due, TimerKey { id, kind })));
            };
            match &open.kind {
                OpenKind::Timer { due } => add(TimerKind::Timer, Some(*due)),
                OpenKind::Step(step) => add(TimerKind::Backoff, step.attempts.pause_until(now)),
                OpenKind::Task(task) => {
                    add(TimerKind::Backoff, task.attempts.pause_until(now));
                    add(TimerKind::Deadline, task.deadline);
                }
            }
        }
    }
    timers
}

impl Shard {
    /// Lets instances rest: the store is shared, and `member` is who this is.
    pub(crate) fn let_rest(&mut self, member: &str) {
        self.resting = Some(Resting {
            member: member.to_owned(),
            ..Resting::default()
        });
    }

    /// An instance was found in `Open`, with what its row says.
    pub(super) fn found_listed(&mut self, id: InstanceId, row: &[u8]) {
        let Some(resting) = &mut self.resting else {
            return;
        };
        resting.list(id);
        if row.is_empty() {
            return;
        }
        match codec::decode_value::<Vec<(CommandId, Which, Place)>>(row) {
            Ok(places) => {
                let places = places.into_iter();
                let places = places.map(|(id, which, place)| (id, (which, place)));
                resting.places.extend(places);
            }
            // Its tasks are given out once more: at least once is what was promised.
            Err(error) => tracing::warn!(instance = %id, "where its tasks are is unknown: {error}"),
        }
    }

    /// Which attempt of a task is the current one, and where it is; none when it is simply here, or
    /// nowhere.
    pub(crate) fn place(&self, id: CommandId) -> Option<(Which, &Place)> {
        let open = self.instance(id.instance)?.open(id)?;
        let which = Which {
            sequence: open.sequence,
            attempt: open.kind.attempts()?.current,
        };
        let place = self.resting.as_ref()?.place(id, which)?;
        Some((which, place))
    }

    /// An attempt is in the broker's hands.
    pub(crate) fn in_broker(&mut self, id: CommandId, which: Which) {
        let instance = self.instance(id.instance);
        let is_open = instance.is_some_and(|instance| instance.open(id).is_some());
        if let Some(resting) = self.resting.as_mut().filter(|_| is_open) {
            resting.places.insert(id, (which, Place::Broker));
        }
    }

    /// An attempt has no place any more: it is here, or nowhere.
    pub(crate) fn displace(&mut self, id: CommandId) {
        if let Some(resting) = &mut self.resting {
            resting.places.remove(&id);
        }
    }

    /// Attempts that were open when the partition was taken over.
    pub(crate) fn take_orphans(&mut self) -> Vec<CommandId> {
        self.resting
            .as_mut()
            .map(|resting| std::mem::take(&mut resting.orphans))
            .unwrap_or_default()
    }

    /// Whether some of those that are listed may rest by now.
    pub(super) fn may_unlist(&self) -> bool {
        self.resting
            .as_ref()
            .is_some_and(|resting| !resting.looks.is_empty())
    }

    /// An open instance is about to be written: it is listed, unless it is young.
    pub(super) fn list_if_resting(&mut self, id: InstanceId) {
        let Some(resting) = &mut self.resting else {
            return;
        };
        if resting.listed.contains(&id) || !self.checkpoint.has_seen(id) {
            return;
        }
        let slot = self.slots.get(&id);
        let row = resting.row(slot.and_then(|slot| slot.instance.as_deref()));
        resting.list(id);
        self.ops.push(layout::put_open(id, row));
    }

    /// An instance has ended: nothing of it is listed any more.
    pub(super) fn rests_no_more(&mut self, id: InstanceId) {
        if let Some(resting) = &mut self.resting {
            resting.listed.remove(&id);
        }
    }

    /// An instance ends that a checkpoint has passed. One that was at rest is listed with its end:
    /// the checkpoint that lists it for the purge may be another owner's, which must find it.
    pub(super) fn list_end(&mut self, id: InstanceId) {
        let resting = self.resting.as_ref();
        if resting.is_some_and(|resting| !resting.listed.contains(&id)) {
            self.ops.push(layout::put_open(id, Bytes::new()));
        }
    }

    /// A checkpoint has passed an instance: it rests, or is listed.
    pub(super) fn settle(&mut self, id: InstanceId, ops: &mut Vec<RowOp>) {
        let slot = self.slots.get(&id);
        let instance = slot.and_then(|slot| slot.instance.as_deref());
        let Some(resting) = &mut self.resting else {
            ops.push(layout::put_open(id, Bytes::new()));
            return;
        };
        match instance.and_then(|instance| resting.timers(instance)) {
            Some(timers) => ops.extend(
                timers
                    .into_iter()
                    .map(|(at, key)| layout::put_timer(at, key)),
            ),
            None => {
                ops.push(layout::put_open(id, resting.row(instance)));
                resting.list(id);
            }
        }
    }

    /// Takes instances from `Open` that have come to rest.
    pub(super) fn unlist_resting(&mut self, now: Timestamp) {
        let Some(mut resting) = self.resting.take() else {
            return;
        };
        for _ in 0..LOOKED_AT.min(resting.looks.len()) {
            let Some(id) = resting.looks.pop_front() else {
                break;
            };
            if !resting.listed.contains(&id) {
                continue;
            }
            // One whose id is ahead of the clock is found without a row, and rests once it is not:
            // until then its timers are not looked for in their index when they ring.
            let slot = self.slots.get(&id).filter(|slot| !slot.touched);
            let instance = slot.and_then(|slot| slot.instance.as_deref());
            let rests = instance
                .filter(|_| self.checkpoint.has_seen(id))
                .filter(|instance| now.since(instance.changed_at) >= QUIET)
                .and_then(|instance| resting.timers(instance));
            let Some(timers) = rests else {
                resting.looks.push_back(id);
                continue;
            };
            self.ops.extend(
                timers
                    .into_iter()
                    .map(|(at, key)| layout::put_timer(at, key)),
            );
            self.ops.push(layout::remove_open(id));
            resting.listed.remove(&id);
        }
        self.resting = Some(resting);
    }

    /// Lists everything, with where its tasks are: the partition is being given up in order.
    pub(crate) fn list_all(&mut self, now: Timestamp) {
        self.take_checkpoint_at(now);
        let Some(resting) = &self.resting else {
            return;
        };
        for id in &resting.listed {
            let slot = self.slots.get(id);
            if let Some(instance) = slot.and_then(|slot| slot.instance.as_deref()) {
                self.ops
                    .push(layout::put_open(*id, resting.row(Some(instance))));
            }
        }
    }

    /// A timer that rings, or is dropped, leaves its index, if it may stand there.
    pub(super) fn unindex(&mut self, due: Timestamp, timer: TimerKey) {
        if self.resting.is_some() && self.checkpoint.has_seen(timer.id.instance) {
            self.ops.push(layout::remove_timer(due, timer));
        }
    }

    /// Reads ahead in the index of timers.
    ///
    /// # Errors
    /// When rows cannot be read; the next call reads them.
    pub(crate) fn read_timers(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(resting) = &mut self.resting else {
            return Ok(());
        };
        resting.now = resting.now.max(now);
        let until = now + HORIZON;
        if resting.reads_on.is_none() && resting.read_until >= now + HORIZON / 2 {
            return Ok(());
        }
        let from = resting
            .reads_on
            .clone()
            .unwrap_or_else(|| layout::timers_from(resting.read_until));
        let mut last = None;
        let mut count = 0;
        let timers = &mut self.timers;
        let mut visit = |key: &[u8], _: &[u8]| {
            timers.extend(layout::parse_timer(key));
            count += 1;
            last = Some([key, &[0]].concat());
            if count < TIMERS_READ {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let to = layout::timers_from(until);
        self.store
            .scan(Table::Timers, &from, Some(&to), &mut visit)?;
        if let Some(resting) = &mut self.resting {
            resting.reads_on = last.filter(|_| count >= TIMERS_READ);
            if resting.reads_on.is_none() {
                resting.read_until = until;
            }
        }
        Ok(())
    }

    /// Whether an instance may leave memory, as far as its index rows go.
    pub(super) fn may_leave(&self, id: InstanceId) -> bool {
        self.resting.is_none() || self.checkpoint.has_seen(id)
    }

    /// An instance leaves memory: its far timers come back from their index, its tasks from its
    /// rest.
    pub(super) fn leaves(&mut self, id: InstanceId) {
        let Some(resting) = &mut self.resting else {
            return;
        };
        let slot = self.slots.get(&id);
        let Some(instance) = slot.and_then(|slot| slot.instance.as_deref()) else {
            return;
        };
        let is_ended = instance.status().is_ended();
        if resting.listed.contains(&id) && !is_ended {
            return;
        }
        for (due, timer) in timers(instance, resting.now) {
            if is_ended || due >= resting.read_until {
                self.timers.remove(&(due, timer));
            }
        }
        for (id, _) in given_out(instance, resting.now) {
            resting.places.remove(&id);
        }
    }

    /// An instance that was at rest is back in memory: its tasks are with the broker.
    pub(super) fn is_back(&mut self, instance: &Instance) {
        let Some(resting) = &mut self.resting else {
            return;
        };
        if resting.listed.contains(&instance.id) || !self.checkpoint.has_seen(instance.id) {
            return;
        }
        // What its timer has not given out yet is nowhere, however late the timer is.
        let waits = |id: CommandId| {
            let attempts = instance.open(id).and_then(|open| open.kind.attempts());
            let due = attempts.and_then(|attempts| attempts.due);
            let kind = TimerKind::Backoff;
            due.is_some_and(|due| {
                due >= resting.read_until || self.timers.contains(&(due, TimerKey { id, kind }))
            })
        };
        let ids: Vec<_> = given_out(instance, resting.now)
            .filter(|(id, _)| !waits(*id))
            .map(|(id, which)| (id, (which, Place::Broker)))
            .collect();
        resting.places.extend(ids);
    }

    /// How many instances are listed, and how many timers are held: for checks.
    #[doc(hidden)]
    #[must_use]
    pub fn held(&self) -> BTreeMap<&'static str, usize> {
        let listed = self.resting.as_ref().map_or(0, |it| it.listed.len());
        let places = self.resting.as_ref().map_or(0, |it| it.places.len());
        BTreeMap::from([
            ("listed", listed),
            ("places", places),
            ("timers", self.timers.len()),
        ])
    }
}
