//! How members share the partitions, in the order of the runtime's `cluster/fleet.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use infinitic_runtime::cluster::plan::{Plan, plan};
use infinitic_runtime::cluster::store::{Beat, Epoch, Fleet, Part};

use super::super::member::{Input, Member};
use super::{Event, Own, World};

/// When faults have stopped for so long, time may pass faster.
const CALM_MS: u64 = 60_000;
/// How often a member beats then, and for how long it counts as alive.
const CALM_BEAT_MS: u64 = 1_200_000;

impl World {
    /// Whether faults have stopped long ago.
    pub(super) fn is_calm(&self) -> bool {
        self.healing && self.now > self.healed_at + CALM_MS
    }

    pub(super) fn beat(&mut self, member: &mut Member) {
        if member.draining {
            return;
        }
        if self.store_is_away() || self.store_fails() {
            return self.beat_again(member);
        }
        let lease = match self.is_calm() {
            true => 3 * CALM_BEAT_MS,
            false => self.profile.lease_ms,
        };
        let beat = Beat {
            member: member.id.clone(),
            hosts: match member.hosts_workflow {
                true => vec![self.workflow.clone()],
                false => Vec::new(),
            },
            lease: Duration::from_millis(lease),
        };
        let fleet = self.store.rows.beat_now(&beat);
        let delay = self.delay(20);
        self.schedule_own(delay, member.life, Own::Beaten(Box::new(fleet)));
    }

    fn beat_again(&mut self, member: &Member) {
        let every = match self.is_calm() {
            true => CALM_BEAT_MS,
            false => self.profile.beat_ms,
        };
        self.schedule_own(every, member.life, Own::Beat);
    }

    /// The store has told how the fleet stands.
    pub(super) fn beaten(&mut self, member: &mut Member, mut fleet: Fleet) {
        if member.draining {
            return;
        }
        let alive: BTreeSet<String> = fleet
            .members
            .iter()
            .map(|member| member.id.0.clone())
            .collect();
        if member.alive != alive {
            member.inbox.push_back(Input::Alive(alive));
            self.round_soon(member);
        }
        let mut unheld: Vec<(Part, Epoch)> = Vec::new();
        for owned in &mut fleet.parts {
            if let Some(epoch) = member.held.get(&owned.part).copied()
                && epoch < owned.epoch
            {
                let part = owned.part.clone();
                member.inbox.push_back(Input::Lost { part, epoch });
                self.round_soon(member);
            }
            let is_mine = owned.owner.as_ref() == Some(&member.id);
            // The store says that it is ours, and nobody here has it: it is free for us.
            if is_mine && member.held.get(&owned.part) != Some(&owned.epoch) {
                owned.owner = None;
                unheld.push((owned.part.clone(), owned.epoch));
            }
        }
        let Plan { claim, release } = plan(&fleet, &member.id);
        for part in release {
            self.trace(|_| format!("{} is to give {part} up", member.id));
            member.inbox.push_back(Input::Release { part });
            self.round_soon(member);
        }
        // Claimed by a call whose answer was lost, and not wanted now: others wait for it.
        unheld.retain(|(part, _)| !claim.contains(part));
        for (part, epoch) in unheld {
            if !self.store_is_away() {
                self.store.rows.release_now(&part, epoch);
            }
        }
        for part in claim {
            // It is being given up, or cannot be worked on here.
            if member.held.contains_key(&part) {
                continue;
            }
            if !self.claim(member, part) || member.dead {
                break;
            }
        }
        self.beat_again(member);
    }

    /// False when the store does not answer.
    fn claim(&mut self, member: &mut Member, part: Part) -> bool {
        if self.store_is_away() {
            return false;
        }
        if self.store_fails() {
            let (life, late) = (member.life, self.rng.below(5_000));
            self.schedule(late, Event::ClaimArrives { life, part });
            return false;
        }
        if let Some(claim) = self.store.claim(&part, &member.id) {
            member.held.insert(part.clone(), claim.epoch);
            if self.dies_at(member, "after a claim") {
                return false;
            }
            member.inbox.push_back(Input::Claimed { part, claim });
            self.round_soon(member);
        }
        true
    }

    /// A claim arrives that nobody waits for any more.
    pub(super) fn claim_arrives(&mut self, life: u64, part: &Part) {
        if let Some(id) = self.members.get(&life).map(|member| member.id.clone())
            && !self.store_is_away()
        {
            self.watch.count("a claim arrives late");
            self.store.claim(part, &id);
        }
    }

    /// A partition's reader is closed: the partition is released.
    pub(super) fn closed(&mut self, member: &mut Member, part: Part, epoch: Epoch) {
        self.broker.closes(&part, (member.life, epoch.0));
        if self.store_is_away() || self.store_fails() {
            let later = self.rng.between(500, 1_500);
            let (life, late) = (member.life, self.rng.below(5_000));
            let release = part.clone();
            let arrives = Event::ReleaseArrives {
                life,
                part: release,
                epoch,
            };
            self.schedule(late, arrives);
            return self.schedule_own(later, life, Own::Closed { part, epoch });
        }
        self.store.rows.release_now(&part, epoch);
        self.trace(|_| format!("{} has released {part}", member.id));
        self.watch.count("a partition released");
        member.forget(&part, epoch);
        self.leave_if_done(member);
    }

    /// A release arrives that nobody waits for any more.
    pub(super) fn release_arrives(&mut self, _life: u64, part: Part, epoch: Epoch) {
        if !self.store_is_away() {
            self.store.rows.release_now(&part, epoch);
        }
    }
}
