//! How members begin and end, and what else befalls them, the store and the broker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use infinitic_core::Timestamp;
use infinitic_runtime::cluster::store::MemberId;
use infinitic_runtime::service::{HostedServices, SpotExecutor};

use super::super::super::code::Bank;
use super::super::broker::Pool;
use super::super::member::{Input, Member};
use super::{Event, Fault, Own, World};

/// How long the handing over may take, as in a worker.
const HAND_OVER_MS: u64 = 10_000;
/// After so long without a sign of life, the broker closes a connection.
const KEPT_ALIVE_MS: u64 = 30_000;

impl World {
    /// A member starts in a place, if there is none.
    pub(super) fn start(&mut self, slot: u64) {
        if self.members.values().any(|member| member.slot == slot) {
            return;
        }
        self.lives += 1;
        let life = self.lives;
        let special = slot > 0 && self.rng.chance(self.profile.specialists);
        let (workflow, service) = match special {
            true => self.rng.pick(&[(true, false), (false, true)]),
            false => (true, true),
        };
        let mut services = HostedServices::new();
        services.insert(Bank).expect("it is the only service");
        let broken = !self.healing && self.profile.with_traps && self.rng.chance(400);
        let skew = self.rng.below(200);
        let member = Member {
            id: MemberId(format!("member-{life}")),
            slot,
            life,
            hosts_workflow: workflow,
            hosts_service: service,
            broken,
            executor: SpotExecutor::new(services, "simulated"),
            skew: i64::try_from(skew).unwrap_or(0) - 100,
            last_now: Timestamp::default(),
            dead: false,
            frozen: false,
            deferred: VecDeque::new(),
            inbox: VecDeque::new(),
            partitions: BTreeMap::new(),
            held: BTreeMap::new(),
            alive: BTreeSet::new(),
            maintained: Timestamp::default(),
            round_at: None,
            idle: 0,
            jobs: VecDeque::new(),
            writing: None,
            lost: BTreeSet::new(),
            origins: BTreeMap::new(),
            running: BTreeMap::new(),
            pendings: BTreeMap::new(),
            arrives: BTreeMap::new(),
            draining: false,
            stopping: false,
        };
        self.trace(|_| {
            format!(
                "{} starts: workflow {workflow}, service {service}, broken {broken}",
                member.id
            )
        });
        self.members.insert(life, member);
        // A worker that hosts no workflow owns partitions too, while nobody does.
        self.schedule_own(0, life, Own::Beat);
        self.takes(life, workflow, service);
    }

    /// A member begins to take attempts and turns, each after a while.
    fn takes(&mut self, life: u64, turns: bool, tasks: bool) {
        for (pool, takes) in [(Pool::Turns, turns), (Pool::Tasks, tasks)] {
            if takes {
                let delay = self.delay(50);
                self.schedule(delay, Event::Takes { life, pool });
            }
        }
    }

    pub(super) fn strikes(&mut self, fault: Fault) {
        if self.healing {
            return;
        }
        let away = self.now + self.rng.between(100, 20_000);
        match fault {
            Fault::StoreOutage => self.store_away = self.store_away.max(away),
            Fault::BrokerOutage => {
                self.broker_away = self.broker_away.max(away);
                self.schedule(away - self.now, Event::Gives);
            }
            Fault::Death | Fault::Stop | Fault::Freeze | Fault::Break => {
                let lives: Vec<u64> = self.members.keys().copied().collect();
                if lives.is_empty() {
                    return;
                }
                let life = self.rng.pick(&lives);
                let Some(member) = self.members.remove(&life) else {
                    return;
                };
                return self.strikes_member(fault, member);
            }
        }
        self.watch.count("an outage");
        self.trace(|_| format!("{fault:?} until {away}"));
    }

    pub(super) fn strikes_member(&mut self, fault: Fault, mut member: Member) {
        self.trace(|_| format!("{fault:?} of {}", member.id));
        match fault {
            Fault::Death => {
                self.watch.count("dies at any moment");
                member.dead = true;
            }
            Fault::Stop if !member.draining && !member.frozen => {
                self.watch.count("stops in order");
                member.draining = true;
                let grace = self.rng.below(6_000);
                self.schedule_own(grace, member.life, Own::Drained);
            }
            Fault::Freeze if !member.frozen => {
                self.watch.count("hangs");
                member.frozen = true;
                let lease = self.profile.lease_ms;
                let time = self.rng.between(lease / 2, lease * 10);
                let life = member.life;
                self.schedule(time, Event::Wakes { life });
                if time > KEPT_ALIVE_MS {
                    self.schedule(KEPT_ALIVE_MS, Event::Gone { life });
                }
            }
            Fault::Break => {
                self.watch.count("a connection breaks");
                self.broker.breaks(member.life, &mut self.rng);
                self.schedule(0, Event::Gives);
            }
            _ => {}
        }
        self.put_back(member);
    }

    /// A member wakes up: what came meanwhile is there, in order.
    pub(super) fn wakes(&mut self, life: u64) {
        let Some(mut member) = self.members.remove(&life) else {
            return;
        };
        if !member.frozen {
            self.members.insert(life, member);
            return;
        }
        self.trace(|_| format!("{} wakes up", member.id));
        member.frozen = false;
        for (part, holding) in &member.partitions {
            let (part, rank) = (part.clone(), holding.owner.epoch().0);
            self.schedule(1, Event::Opens { life, part, rank });
        }
        self.takes(life, member.hosts_workflow, member.hosts_service);
        for own in std::mem::take(&mut member.deferred) {
            if !member.dead {
                self.does(&mut member, own);
            }
        }
        self.put_back(member);
    }

    /// A member is dead.
    pub(super) fn buried(&mut self, member: &Member) {
        let life = member.life;
        let noticed = match self.rng.chance(500) {
            true => self.rng.below(100),
            false => self.rng.below(KEPT_ALIVE_MS),
        };
        self.schedule(noticed, Event::Gone { life });
        let again = self.rng.below(15_000);
        self.schedule(again, Event::Start { slot: member.slot });
    }

    /// The broker notices that a connection is no more.
    pub(super) fn gone(&mut self, life: u64) {
        let is_awake = self.members.get(&life).is_some_and(|member| !member.frozen);
        if !is_awake {
            self.broker.gone(life);
            self.gives();
        }
    }

    /// The time that running attempts had to end is over: all partitions are handed over.
    pub(super) fn drained(&mut self, member: &mut Member) {
        member.running.clear();
        member.stopping = true;
        for part in member.held.keys().cloned() {
            member.inbox.push_back(Input::Release { part });
        }
        self.round_soon(member);
        self.schedule_own(HAND_OVER_MS, member.life, Own::Leave);
        self.leave_if_done(member);
    }

    pub(super) fn leave_if_done(&mut self, member: &mut Member) {
        if member.stopping && member.held.is_empty() {
            self.leave(member);
        }
    }

    /// It leaves the fleet.
    pub(super) fn leave(&mut self, member: &mut Member) {
        if !self.store_is_away() && !self.store_fails() {
            self.store.rows.leave_now(&member.id);
        }
        self.trace(|_| format!("{} has stopped", member.id));
        member.dead = true;
    }
}
