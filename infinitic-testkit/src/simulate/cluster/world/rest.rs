//! How a run comes to its end: faults stop, everything ends, and what is left is judged.

use std::collections::BTreeMap;

use infinitic_core::{Entry, InstanceId, Message};
use infinitic_runtime::cluster::simulate::Parcel;
use infinitic_runtime::cluster::transport::Topic;

use super::super::super::check;
use super::super::member::Member;
use super::client::Stage;
use super::{Event, Fault, Own, Reaches, World};

/// First and longest pause between two looks at whether all is over.
const LOOK_MS: (u64, u64) = (5_000, 6 * 3_600_000);
/// Retries of an instance that stands still again and again before that counts as a fault.
const RETRIES_MAX: u32 = 20;
/// Without a new row for so long, nothing goes on any more: no timer of a program takes longer.
const STILL_MS: u64 = 60 * 3_600_000;
/// When all has ended, the last messages are acknowledged within so long.
const SETTLED_MS: u64 = 3 * 3_600_000;
/// After the retention time, all records are gone within so long.
const PURGED_MS: u64 = 3 * 3_600_000;

/// What was seen while waiting for the end.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pause_ms: u64,
    /// How many rows there were, and since when.
    rows: (u64, u64),
    /// Since when all has ended.
    ended_at: Option<u64>,
    retried: BTreeMap<InstanceId, u32>,
}

impl World {
    /// No more faults; mended code from the next replay on.
    pub(super) fn heal(&mut self) {
        self.trace(|_| "faults stop".to_owned());
        self.healing = true;
        self.healed_at = self.now;
        self.store_away = 0;
        self.broker_away = 0;
        self.looks.pause_ms = LOOK_MS.0;
        self.looks.rows = (self.store.appended, self.now);
        let lives: Vec<u64> = self.members.keys().copied().collect();
        // Half of the runs must come to their end without new members, the others with new ones
        // only.
        let all_die = self.rng.chance(500);
        for life in lives {
            self.wakes(life);
            let Some(mut member) = self.members.remove(&life) else {
                continue;
            };
            member.broken = false;
            member.dead |= all_die;
            self.broker.breaks(life, &mut self.rng);
            self.put_back(member);
        }
        for slot in 0..self.profile.slots {
            let soon = self.rng.below(20_000);
            self.schedule(soon, Event::Start { slot });
        }
        for client in 0..self.clients.len() {
            self.clients[client].ask_soon();
            self.schedule(0, Event::Asks { client });
        }
        self.schedule(0, Event::Gives);
        self.schedule(LOOK_MS.0, Event::Look);
    }

    pub(super) fn entries(&self, id: InstanceId) -> Vec<Entry> {
        self.store.entries(&self.part_of(id), id)
    }

    /// Looks whether all is over, and retries what stands still, as an operator would.
    pub(super) fn look(&mut self) {
        let open: Vec<InstanceId> = self
            .clients
            .iter()
            .map(|client| client.id)
            .filter(|id| {
                let instance = check::fold(*id, &self.entries(*id));
                instance.is_none_or(|instance| !instance.status().is_ended())
            })
            .collect();
        let is_told = self.clients.iter().all(|c| c.stage == Stage::Done);
        if open.is_empty() && is_told {
            let since = *self.looks.ended_at.get_or_insert(self.now);
            let left = self.broker.left();
            let is_idle = self.members.values().all(Member::is_idle);
            if left.is_empty() && is_idle {
                self.over = true;
                return;
            }
            if self.now > since + SETTLED_MS {
                self.watch.violation(format!(
                    "all has ended, and not all is settled (idle: {is_idle}): {left:?}"
                ));
                self.over = true;
                return;
            }
        } else {
            self.looks.ended_at = None;
        }
        let retried = self.retry_stopped(&open);
        if self.looks.rows.0 != self.store.appended || retried {
            self.looks.rows = (self.store.appended, self.now);
        }
        if self.now > self.looks.rows.1 + STILL_MS {
            let waits = self.describe(&open);
            self.watch
                .violation(format!("nothing goes on, and not all has ended: {waits}"));
            self.over = true;
            return;
        }
        self.looks.pause_ms = (2 * self.looks.pause_ms).min(LOOK_MS.1);
        self.schedule(self.looks.pause_ms, Event::Look);
    }

    fn retry_stopped(&mut self, open: &[InstanceId]) -> bool {
        let mut retried = false;
        for id in open {
            let instance = check::fold(*id, &self.entries(*id));
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
            let message = Message::RetryTurn {
                cut: None,
                request: None,
            };
            self.trace(|_| format!("the operator retries {id}: {}", why.message));
            let topic = Topic::Inbox(self.part_of(*id));
            let reaches = Reaches {
                life: None,
                topic,
                payload: Parcel::Messages(String::new(), vec![(*id, message)]).encode(),
                pending: None,
            };
            self.schedule(0, Event::Reaches(reaches));
        }
        retried
    }

    fn describe(&self, open: &[InstanceId]) -> String {
        let instances = open.iter().map(|id| {
            let waits = check::fold(*id, &self.entries(*id)).map(|instance| {
                let open = instance.runs.values().flat_map(|run| run.open.iter());
                open.map(|(position, open)| format!("{position} {}", open.kind.describe()))
                    .collect::<Vec<_>>()
            });
            format!("{id} of {} waits for {waits:?}", self.part_of(*id))
        });
        let clients = self.clients.iter().enumerate();
        let clients = clients.filter(|(_, client)| client.stage != Stage::Done);
        let clients = clients.map(|(index, client)| {
            format!("client {index} of {} is {:?}", client.id, client.stage)
        });
        let left = self.broker.left();
        let members = self.members.values().map(|member| {
            let parts: Vec<_> = member.partitions.keys().collect();
            format!("{} owns {parts:?}, held {:?}", member.id, member.held)
        });
        let all = instances.chain(clients).chain(left).chain(members);
        all.collect::<Vec<_>>().join("; ")
    }

    /// What is in memory is what the store holds, whenever nothing of a member is on its way.
    pub(super) fn look_around(&mut self, member: &Member) {
        if !member.jobs.is_empty() || member.writing.is_some() || member.dead {
            return;
        }
        let mut found = Vec::new();
        for client in &self.clients {
            let part = self.part_of(client.id);
            let Some(holding) = member.partitions.get(&part) else {
                continue;
            };
            let is_current = self.store.epoch(&part) == holding.owner.epoch();
            let Some(live) = holding.owner.instance(client.id).filter(|_| is_current) else {
                continue;
            };
            let mut live = live.clone();
            live.waiting.clear();
            let stored = check::fold(client.id, &self.entries(client.id));
            if stored.as_ref() != Some(&live) {
                found.push(format!(
                    "memory of {} and store differ about {}:\n  {live:?}\n  {stored:?}",
                    member.id, client.id
                ));
            }
        }
        found.into_iter().for_each(|v| self.watch.violation(v));
    }

    /// Judges the histories, then waits for the end of the retention time.
    pub(super) fn judge(&mut self) {
        let mut found = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            let entries = self.entries(client.id);
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
        let is_sound = found.is_empty();
        found.into_iter().for_each(|v| self.watch.violation(v));
        if is_sound {
            self.outlive_retention();
        }
    }

    fn outlive_retention(&mut self) {
        if self.rng.chance(500) {
            let lives: Vec<u64> = self.members.keys().copied().collect();
            let life = if lives.is_empty() {
                0
            } else {
                self.rng.pick(&lives)
            };
            if let Some(member) = self.members.remove(&life) {
                self.healing = false;
                self.strikes_member(Fault::Stop, member);
                self.healing = true;
            }
        }
        let retention = self.profile.settings.retention.as_millis();
        let retention = u64::try_from(retention).unwrap_or(0);
        self.now += retention;
        for life in self.members.keys().copied().collect::<Vec<_>>() {
            self.schedule_own(0, life, Own::Beat);
        }
        let until = self.now + PURGED_MS;
        while self.watch.violations.is_empty() && self.now < until {
            let residue = self.store.residue();
            if residue.is_empty() {
                break;
            }
            for _ in 0..50 {
                if !self.step() {
                    return;
                }
            }
        }
        for residue in self.store.residue() {
            self.watch.violation(residue);
        }
        let retention = self.profile.settings.retention;
        let early = self.store.purged.iter().filter_map(|(id, (entries, at))| {
            let instance = check::fold(*id, entries)?;
            let is_due = *at + EARLY_MS >= instance.changed_at + retention;
            (!is_due || !instance.status().is_ended()).then(|| format!("{id} was purged at {at}"))
        });
        let early: Vec<String> = early.collect();
        early.into_iter().for_each(|v| self.watch.violation(v));
    }
}

/// How far the clocks of members may be off.
const EARLY_MS: std::time::Duration = std::time::Duration::from_millis(400);
