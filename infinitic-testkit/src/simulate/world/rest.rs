//! How a run comes to its end: faults stop, everything ends, and what is left is judged.

use std::collections::BTreeMap;

use infinitic_core::{InstanceId, Message, Timestamp};
use infinitic_runtime::backend::Table;
use infinitic_runtime::worker::shard_of;

use super::client::Stage;
use super::{Event, World};
use crate::simulate::check;
use crate::simulate::code::set_broken;
use crate::simulate::process::{Wrote, lock};

/// First and longest pause between two looks at whether all is over.
const LOOK_MS: (u64, u64) = (5_000, 6 * 3_600_000);
/// Retries of an instance that stands still again and again before that counts as a fault.
const RETRIES_MAX: u32 = 20;
/// Looks in a row that found nothing under way.
const IDLE_MAX: u32 = 3;
/// Rounds of maintenance after which all records must be gone.
const PURGES_MAX: u32 = 30;

/// What was seen while waiting for the end.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pause_ms: u64,
    idle: u32,
    retried: BTreeMap<InstanceId, u32>,
}

impl World {
    /// No more faults; mended code from the next replay on.
    pub(super) fn heal(&mut self) {
        self.trace(|_| "faults stop".to_owned());
        self.healing = true;
        self.store.heal();
        lock(&self.dice).left = 0;
        set_broken(false);
        self.looks.pause_ms = LOOK_MS.0;
        // Half of the runs must come to their end without a new process.
        if self.rng.chance(300) && self.process.is_some() {
            self.healing = false;
            self.stop();
            self.healing = true;
            set_broken(false);
        }
        for client in 0..self.clients.len() {
            self.clients[client].ask_soon();
            self.schedule(0, Event::Asks { client });
        }
        self.schedule(LOOK_MS.0, Event::Look);
    }

    /// Looks whether all is over, and retries what stands still, as an operator would.
    pub(super) fn look(&mut self) {
        let open = self.store.open();
        let is_told = self.clients.iter().all(|c| c.stage == Stage::Done);
        if open.is_empty() && is_told && self.is_idle() {
            self.over = true;
            return;
        }
        let retried = self.retry_stopped(&open);
        if self.is_idle() && !retried && self.process.is_some() {
            self.looks.idle += 1;
            self.looks.pause_ms = LOOK_MS.0;
        } else {
            self.looks.idle = 0;
            self.looks.pause_ms = (2 * self.looks.pause_ms).min(LOOK_MS.1);
        }
        // A client that is not told asks again within the hour.
        let patience = if open.is_empty() { 1_000 } else { IDLE_MAX };
        if self.looks.idle > patience {
            let waits = self.describe(&open);
            self.watch.violation(format!(
                "nothing is under way, and not all has ended: {waits}"
            ));
            self.over = true;
            return;
        }
        self.schedule(self.looks.pause_ms, Event::Look);
    }

    /// Whether nothing is under way but what clients ask.
    fn is_idle(&self) -> bool {
        let Some(process) = &self.process else {
            return false;
        };
        let lanes = &process.lanes;
        self.arriving == 0
            && process.running.is_empty()
            && lock(&process.committer).is_idle()
            && lanes.iter().all(|lane| {
                lane.mailbox.is_empty()
                    && lane.shard.next_timer().is_none()
                    && !lane.shard.has_suspects()
            })
    }

    fn retry_stopped(&mut self, open: &[InstanceId]) -> bool {
        let mut retried = false;
        for id in open {
            let instance = self.store.instance(*id);
            let Some(why) = instance.and_then(|instance| instance.stopped) else {
                continue;
            };
            let times = self.looks.retried.entry(*id).or_default();
            *times += 1;
            if *times > RETRIES_MAX {
                self.watch.violation(format!(
                    "{id} stands still after {RETRIES_MAX} retries: {}",
                    why.message
                ));
                self.over = true;
            }
            retried = true;
            let event = Event::Arrives {
                life: None,
                to: *id,
                message: Box::new(Message::RetryTurn {
                    cut: None,
                    request: None,
                }),
            };
            self.trace(|_| format!("the operator retries {id}: {}", why.message));
            self.schedule(0, event);
        }
        retried
    }

    fn describe(&self, open: &[InstanceId]) -> String {
        let instances = open.iter().map(|id| {
            let instance = self.store.instance(*id);
            let waits = instance.map(|instance| {
                let open = instance.runs.values().flat_map(|run| run.open.values());
                open.map(|open| open.kind.describe()).collect::<Vec<_>>()
            });
            format!("{id} waits for {waits:?}")
        });
        let clients = self.clients.iter().enumerate();
        let clients = clients.filter(|(_, client)| client.stage != Stage::Done);
        let clients = clients.map(|(index, client)| {
            format!("client {index} of {} is {:?}", client.id, client.stage)
        });
        instances.chain(clients).collect::<Vec<_>>().join("; ")
    }

    /// What is in memory is what the store holds, whenever nothing is on its way there.
    pub(super) fn compare(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        for client in &self.clients {
            let lane = shard_of(client.id, process.lanes.len());
            let shard = &process.lanes[lane].shard;
            if shard.has_work() {
                continue;
            }
            let Some(live) = shard.instance(client.id) else {
                continue;
            };
            let mut live = live.clone();
            live.waiting.clear();
            let stored = self.store.instance(client.id);
            if stored.as_ref() != Some(&live) {
                self.watch.violation(format!(
                    "memory and store differ about {}:\n  {live:?}\n  {stored:?}",
                    client.id
                ));
            }
        }
        for id in self.store.unfindable() {
            self.watch
                .violation(format!("recovery would not find the open instance {id}"));
        }
    }

    /// Judges the histories, then waits for the end of the retention time.
    pub(super) fn judge(&mut self) {
        self.compare();
        let purged = self.store.purged();
        let mut found = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            let entries = match purged.get(&client.id) {
                Some(purged) => purged.entries.clone(),
                None => {
                    let entries = self.store.image(client.id, |image| image.entries.clone());
                    entries.unwrap_or_default()
                }
            };
            for feature in check::features(&entries) {
                self.watch.count(feature);
            }
            let story = check::Story {
                id: client.id,
                program: &client.program,
                told: &client.told,
            };
            let violations = check::instance(story, &entries);
            found.extend(
                violations
                    .into_iter()
                    .map(|v| format!("client {index}: {v}")),
            );
        }
        self.watch.extend(found);
        if self.watch.is_clean() {
            self.outlive_retention();
        }
    }

    fn outlive_retention(&mut self) {
        if self.rng.chance(500) {
            self.healing = false;
            self.stop();
            self.healing = true;
            self.start();
        }
        let retention = u64::try_from(self.profile.settings.retention.as_millis()).unwrap_or(0);
        for round in 0..PURGES_MAX {
            self.every_shard_maintains();
            if round == 0 {
                self.now += retention + 2 * 3_600_000;
            }
            self.now += 3_000;
            self.store.set_now(self.clock());
        }
        let retention = self.profile.settings.retention;
        let found = check::residue(&self.store, &self.store.purged(), retention);
        self.watch.extend(found);
    }

    fn every_shard_maintains(&mut self) {
        let lanes = self
            .process
            .as_ref()
            .map_or(0, |process| process.lanes.len());
        for lane in 0..lanes {
            if let Some(process) = &mut self.process {
                process.lanes[lane].maintained = Timestamp::default();
            }
            self.round(lane);
        }
        while let Some(process) = &self.process {
            if lock(&process.committer).write() == Wrote::Nothing {
                break;
            }
        }
        if let Some(process) = &self.process {
            lock(&process.committer).outbox.clear();
        }
    }
}

/// Tables in which nothing may be left when all records have been purged.
pub(crate) const MUST_BE_EMPTY: [Table; 5] = [
    Table::History,
    Table::Open,
    Table::Timers,
    Table::Purge,
    Table::DeadLetters,
];
