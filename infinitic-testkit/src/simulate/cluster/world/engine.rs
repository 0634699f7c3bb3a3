//! A member's engine: rounds over its partitions, in the order of the runtime's
//! `cluster/engine.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::{InstanceId, Message, Timestamp};
use infinitic_runtime::cluster::simulate::{Owner, Parcel, TurnEnded};
use infinitic_runtime::cluster::store::{Claim, Epoch, Part, SharedStore};
use infinitic_runtime::worker::OnForeign;

use super::super::super::code::set_broken;
use super::super::Plant;
use super::super::broker::Owed;
use super::super::member::{Holding, Input, Job, Local, Member};
use super::{Event, Own, World};

/// How often partitions look for checkpoints, timers and purges.
const MAINTENANCE_MS: u64 = 2_000;
/// Doublings of that while nothing happens and no fault does: about an hour.
const PATIENCE_MAX: u32 = 11;

/// Letters of a message that the trace shows.
const TRACED_MAX: usize = 220;

/// A message that was taken from a packet.
struct Arrived {
    part: Part,
    client: Option<Arc<str>>,
    to: InstanceId,
    what: What,
    /// Owed for a message of the member itself; none for what came in a packet.
    local: Option<Vec<Owed>>,
}

/// What a packet brings to an instance.
enum What {
    Message(Message),
    Turn(TurnEnded),
}

impl World {
    /// Plans a round soon.
    pub(super) fn round_soon(&mut self, member: &mut Member) {
        let soon = self.rng.below(4);
        self.round_in(member, soon);
    }

    /// Plans a round, unless an earlier one is planned.
    pub(super) fn round_in(&mut self, member: &mut Member, delay: u64) {
        let at = self.now + delay;
        if member.round_at.is_none_or(|planned| planned > at) {
            member.round_at = Some(at);
            self.schedule_own(delay, member.life, Own::Round);
        }
    }

    pub(super) fn round_if(&mut self, member: &mut Member) {
        if member.round_at.is_some_and(|at| at <= self.now) {
            member.round_at = None;
            self.round(member);
        }
    }

    fn round(&mut self, member: &mut Member) {
        // A read would wait for the store, a full queue for the writer: the engine's thread stands.
        if self.store_is_away() && member.hosts_workflow {
            let later = self.store_away - self.now;
            return self.round_in(member, later);
        }
        if member.is_full() {
            return;
        }
        set_broken(member.broken);
        let now = member.clock(self.store_clock());
        let count = member.inbox.len().min(self.profile.round_max);
        let inputs: Vec<Input> = member.inbox.drain(..count).collect();
        // What is listed and cannot rest is looked at, and written, in each maintenance.
        let is_quiet = inputs
            .iter()
            .all(|input| matches!(input, Input::Durable { .. }));
        let arrived = self.sort(member, inputs, now);
        fetch(member, &arrived, now);
        for message in arrived {
            self.handle(member, message, now);
        }
        self.tick(member, now);
        self.end_round(member);
        if self.dies_at(member, "in a round") {
            return;
        }
        member.idle = if is_quiet { member.idle + 1 } else { 0 };
        if !member.inbox.is_empty() {
            self.round_soon(member);
        } else if member.hosts_workflow {
            let patience = self.patience(member, now);
            self.round_in(member, patience);
        }
        self.write_soon(member);
        self.look_around(member);
    }

    fn sort(&mut self, member: &mut Member, inputs: Vec<Input>, now: Timestamp) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        for input in inputs {
            match input {
                Input::Packets {
                    part,
                    epoch,
                    packets,
                } => self.unpack(member, &part, epoch, packets, &mut arrived),
                Input::Local(local) => match member.partitions.get(&local.part) {
                    Some(holding) if !holding.left => {
                        arrived.push(Arrived {
                            part: local.part,
                            client: None,
                            to: local.to,
                            what: What::Message(local.message),
                            local: Some(local.settles),
                        });
                    }
                    Some(_) | None => self.forward(member, local),
                },
                Input::Claimed { part, claim } => self.claimed(member, &part, claim, now),
                Input::Release { part } => {
                    if let Some(holding) = member.partitions.get_mut(&part) {
                        holding.leaving = true;
                    }
                }
                Input::Durable {
                    part,
                    epoch,
                    number,
                } => {
                    if let Some(holding) = member.holding(&part, epoch) {
                        holding.owner.durable(number);
                    }
                }
                Input::InBroker { part, epoch, ids } => {
                    if let Some(holding) = member.holding(&part, epoch) {
                        for (id, which) in ids {
                            holding.owner.in_broker(id, which);
                        }
                    }
                }
                Input::Last { part, epoch } => self.last(member, part, epoch),
                Input::Lost { part, epoch } => {
                    if member.holding(&part, epoch).is_some() {
                        self.trace(|_| format!("{} has lost {part}", member.id));
                        self.watch.count("a partition lost");
                        member.partitions.remove(&part);
                        self.broker.closes(&part, (member.life, epoch.0));
                        member.forget(&part, epoch);
                    }
                }
                Input::Alive(alive) => member.alive = alive,
            }
        }
        arrived
    }

    fn unpack(
        &mut self,
        member: &mut Member,
        part: &Part,
        epoch: Epoch,
        packets: Vec<(Owed, Bytes)>,
        arrived: &mut Vec<Arrived>,
    ) {
        let early = self.plants(Plant::AcknowledgeBeforeCommit);
        for (owed, payload) in packets {
            // Of a claim that is over, or about to be: the next owner gets it.
            let Some(holding) = member.holding(part, epoch).filter(|it| !it.leaving) else {
                return;
            };
            let (client, messages) = match Parcel::decode(&payload) {
                Some(Parcel::Messages(client, messages)) => {
                    let messages = messages.into_iter();
                    let messages = messages.map(|(to, message)| (to, What::Message(message)));
                    (client, messages.collect::<Vec<_>>())
                }
                Some(Parcel::TurnEnded(ended)) => {
                    let to = ended.instance();
                    (String::new(), vec![(to, What::Turn(ended))])
                }
                other => {
                    self.watch
                        .violation(format!("an inbox has got something else: {other:?}"));
                    return;
                }
            };
            if early {
                self.settle(member, vec![owed]);
            } else {
                holding.settles.push(owed);
            }
            let client = (!client.is_empty()).then(|| Arc::from(client.as_str()));
            arrived.extend(messages.into_iter().map(|(to, what)| Arrived {
                part: part.clone(),
                client: client.clone(),
                to,
                what,
                local: None,
            }));
        }
    }

    fn handle(&mut self, member: &mut Member, arrived: Arrived, now: Timestamp) {
        let Arrived {
            part,
            client,
            to,
            what,
            local,
        } = arrived;
        let mut message = match what {
            What::Message(message) => message,
            What::Turn(ended) => return self.turn_ended(member, &part, ended, now),
        };
        let local = local.map(|settles| Local {
            part: part.clone(),
            to,
            message: message.clone(),
            settles,
        });
        let Some(holding) = member.partitions.get_mut(&part) else {
            // It was lost in this very round.
            if let Some(local) = local {
                self.forward(member, local);
            }
            return;
        };
        holding.fenced |= client.is_none();
        if let Some(local) = local {
            holding.settles.extend(local.settles.iter().cloned());
            holding.locals.push(local);
        }
        if self.options.plant == Some(Plant::NoDedupe) {
            forget_attempts(&holding.owner, &mut message);
        }
        let told = self.options.trace.then(|| format!("{message:?}"));
        if let Err(why) = holding.owner.handle(client.as_ref(), to, message, now) {
            self.watch
                .violation(format!("a message was set aside: {why}"));
        }
        if let Some(told) = told {
            let told: String = told.chars().take(TRACED_MAX).collect();
            self.trace(|_| format!("{} handles for {to}: {told}", member.id));
        }
    }

    fn turn_ended(&mut self, member: &mut Member, part: &Part, ended: TurnEnded, now: Timestamp) {
        let Some(holding) = member.partitions.get_mut(part) else {
            return;
        };
        self.watch.count("a turn elsewhere");
        if let Err(error) = holding.owner.turn_ended(ended, now) {
            self.watch
                .violation(format!("the rows of a turn cannot be read: {error}"));
        }
    }

    fn tick(&mut self, member: &mut Member, now: Timestamp) {
        let maintain = now.since(member.maintained) >= Duration::from_millis(MAINTENANCE_MS);
        if maintain {
            member.maintained = now;
        }
        let Member {
            partitions, alive, ..
        } = member;
        let is_alive = |member: &str| alive.contains(member);
        let mut failed = None;
        for holding in partitions.values_mut().filter(|it| !it.left) {
            if let Err(error) = holding.owner.tick(now, maintain, &is_alive) {
                failed = Some(error);
            }
            if holding.leaving {
                holding.owner.hand_over(now);
            }
        }
        if let Some(error) = failed {
            self.watch
                .violation(format!("a partition cannot be read: {error}"));
        }
    }

    fn end_round(&mut self, member: &mut Member) {
        let mut jobs = Vec::new();
        let mut settles_now = Vec::new();
        for holding in member.partitions.values_mut().filter(|it| !it.left) {
            let settles = std::mem::take(&mut holding.settles);
            let locals = std::mem::take(&mut holding.locals);
            let fenced = std::mem::take(&mut holding.fenced);
            let must = holding.leaving || fenced;
            let round = match holding.owner.end_round() {
                Some(round) => Some(round),
                None if must || (!settles.is_empty() && holding.owner.has_undurable()) => {
                    Some(holding.owner.empty_round())
                }
                None => None,
            };
            holding.left = holding.leaving;
            let Some(mut round) = round else {
                // Nothing came of it, and what it repeated is owed by others.
                settles_now.extend(settles);
                continue;
            };
            holding.rounds += 1;
            if holding.rounds == 1 && self.options.plant == Some(Plant::NoCarryOver) {
                round.tasks.clear();
                round.steps.clear();
                round.turns.clear();
            }
            jobs.push(Job {
                round,
                settles,
                locals,
                fenced,
                last: holding.left,
            });
        }
        self.settle(member, settles_now);
        for mut job in jobs {
            if self.plants(Plant::PublishBeforeCommit) {
                self.lets_go(member, &mut job);
            }
            member.jobs.push_back(job);
        }
    }

    /// How many milliseconds until the next round, if nothing arrives.
    fn patience(&mut self, member: &Member, now: Timestamp) -> u64 {
        let holdings = member.partitions.values().filter(|it| !it.left);
        let next = holdings.filter_map(|it| it.owner.next_tick()).min();
        let longest = match self.is_calm() {
            true => MAINTENANCE_MS << member.idle.min(PATIENCE_MAX),
            false => MAINTENANCE_MS,
        };
        next.map_or(longest, |due| {
            let due = due.as_millis().saturating_sub(now.as_millis());
            due.min(longest).max(1)
        })
    }

    fn claimed(&mut self, member: &mut Member, part: &Part, claim: Claim, now: Timestamp) {
        let epoch = claim.epoch;
        self.trace(|_| format!("{} takes {part} over, epoch {}", member.id, epoch.0));
        self.watch.count("a partition taken over");
        member.partitions.remove(part);
        let store: Arc<dyn SharedStore> = Arc::new(self.store.rows.clone());
        // Nothing of a program waits for something foreign.
        let on_foreign: OnForeign = Arc::new(|id, _| panic!("something foreign woke {id}"));
        let hosting = match member.hosts_workflow {
            true => (&self.hosted, &self.profile.settings),
            false => (&self.nothing, &self.profile.settings),
        };
        match Owner::take_over(part, claim, store, &member.id, hosting, on_foreign, now) {
            Ok(owner) => {
                let holding = Holding {
                    owner,
                    settles: Vec::new(),
                    locals: Vec::new(),
                    fenced: false,
                    leaving: false,
                    left: false,
                    rounds: 0,
                };
                member.partitions.insert(part.clone(), holding);
                let (life, part, rank) = (member.life, part.clone(), epoch.0);
                let delay = self.delay(100);
                self.schedule(delay, Event::Opens { life, part, rank });
            }
            Err(error) => self
                .watch
                .violation(format!("{part} cannot be read: {error}")),
        }
    }

    /// The last round of a partition is safe: it is given up once its reader is closed.
    fn last(&mut self, member: &mut Member, part: Part, epoch: Epoch) {
        if member.holding(&part, epoch).is_none() {
            return;
        }
        member.partitions.remove(&part);
        let delay = self.rng.between(201, 400);
        self.schedule_own(delay, member.life, Own::Closed { part, epoch });
    }

    /// Brings a message to an instance whose partition another member owns.
    fn forward(&mut self, member: &mut Member, local: Local) {
        use super::super::member::Then;
        let Local {
            part,
            to,
            message,
            settles,
        } = local;
        let packet = Parcel::Messages(String::new(), vec![(to, message)]).encode();
        let topic = infinitic_runtime::cluster::transport::Topic::Inbox(part);
        let pending = self.pending(member, 1, Then::Forwarded(settles));
        self.send(member, topic, packet, Some(pending));
    }
}

/// Reads what the round will want of histories: all at once.
fn fetch(member: &Member, arrived: &[Arrived], now: Timestamp) {
    for (part, holding) in &member.partitions {
        let ids = arrived.iter().filter(|message| message.part == *part);
        let ids: Vec<InstanceId> = ids.map(|message| message.to).collect();
        holding.owner.fetch(&ids, now);
    }
}

/// The planted bug: the end of an attempt is taken for that of the one that runs.
fn forget_attempts(owner: &Owner, message: &mut Message) {
    if let Message::AttemptEnded {
        id,
        sequence,
        attempt,
        ..
    } = message
        && let Some(open) = owner.instance(id.instance).and_then(|it| it.open(*id))
    {
        *sequence = open.sequence;
        if let Some(attempts) = open.kind.attempts() {
            *attempt = attempts.current;
        }
    }
}
