//! The engine's thread: rounds over all partitions that this worker owns.

mod owning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infinitic_core::{InstanceId, Message, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::cluster::desk::Desk;
use crate::cluster::inbox::{Inbox, Input, Local};
use crate::cluster::partition::{Partition, Poison, Trouble, is_newer};
use crate::cluster::settle::{Settle, settle};
use crate::cluster::store::{Epoch, MemberId, Part, SharedStore};
use crate::cluster::stuck::Culprits;
use crate::cluster::transport::{Acknowledge, Delivery, Topic, Transport};
use crate::cluster::wire::Packet;
use crate::cluster::writer::{Job, Writer};
use crate::worker::{Hosted, Running, ShardSettings, TurnDone};

/// How often partitions look for checkpoints, timers and purges.
const MAINTENANCE_EVERY: Duration = Duration::from_secs(2);
/// Timers rung in one round, over all partitions.
const TIMERS_AT_ONCE: usize = 16_384;
/// Of one partition at least, however many ring.
const TIMERS_EACH_MIN: usize = 512;

/// What the engine's thread is made of; shared by the threads that follow each other.
#[derive(Clone)]
pub(crate) struct EngineParts {
    pub(crate) store: Arc<dyn SharedStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) handle: Handle,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) me: MemberId,
    pub(crate) hosted: Hosted,
    pub(crate) settings: ShardSettings,
    /// The worker stops: reads are not waited for any more.
    pub(crate) closed: Arc<AtomicBool>,
    /// The partitions that are in this thread's hands, for whoever claims them.
    pub(crate) held: Held,
    /// Instances whose turns got a thread of this worker stuck.
    pub(crate) culprits: Arc<Culprits>,
}

/// The engine's thread.
pub(crate) struct Engine {
    parts: EngineParts,
    /// How many threads were given up before this one.
    generation: u64,
    /// What this thread is about to run, for the watchdog.
    running: Arc<Running>,
    /// Its readers, for the watchdog.
    readers: Arc<Readers>,
    partitions: BTreeMap<Part, Holding>,
    alive: Arc<BTreeSet<String>>,
}

/// The readers of a thread's partitions.
pub(crate) type Readers = Mutex<Vec<AbortHandle>>;

/// The partitions that are in this worker's hands, and since which claim.
pub(crate) type Held = Arc<Mutex<BTreeMap<Part, Epoch>>>;

/// A partition, and what goes with it.
pub(crate) struct Holding {
    partition: Partition,
    /// Owed for messages of the round under way.
    settles: Vec<Settle>,
    /// The messages of that round that came from this process: no broker repeats them.
    locals: Vec<Local>,
    /// The round has handled what a worker sent once: only the owner may say that nothing comes of
    /// it, and who hung may not know that it is none any more.
    fenced: bool,
    /// Ends the reader once what was acknowledged is known to the broker.
    close_reader: Option<oneshot::Sender<()>>,
    reader: tokio::task::JoinHandle<()>,
    /// When it last looked for checkpoints, timers and purges.
    maintained: Timestamp,
    /// It is being given up: nothing new is handled.
    leaving: bool,
    /// Its last round has been handed to the writer.
    left: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("partitions", &self.partitions.keys())
            .finish_non_exhaustive()
    }
}

/// A message that was taken from a packet.
struct Arrived {
    part: Part,
    client: Option<Arc<str>>,
    to: InstanceId,
    what: What,
    /// Owed for a message from this process; none for what came in a packet.
    local: Option<Vec<Settle>>,
}

/// What a packet brings to an instance.
enum What {
    Message(Message),
    Turn(Box<TurnDone>),
}

impl Engine {
    /// The thread of a generation.
    pub(crate) fn new(
        parts: EngineParts,
        generation: u64,
        running: Arc<Running>,
        readers: Arc<Readers>,
    ) -> Self {
        Self {
            parts,
            generation,
            running,
            readers,
            partitions: BTreeMap::new(),
            alive: Arc::default(),
        }
    }

    /// Rounds until the inbox is closed, or the thread is given up.
    pub(crate) fn run(mut self) {
        let mut patience = Duration::ZERO;
        while let Some(inputs) = self.parts.inbox.take(self.generation, patience) {
            let now = self.parts.clock.now();
            let arrived = self.sort(inputs, now);
            let timers = self.timers_each(now);
            self.fetch(&arrived, now, timers);
            self.bar_culprits();
            for message in arrived {
                self.handle(message, now);
            }
            self.tick(now, timers);
            self.end_round();
            patience = self.patience();
        }
        for (_, holding) in std::mem::take(&mut self.partitions) {
            holding.reader.abort();
        }
    }

    /// Does what is no message to an instance; gives the messages.
    fn sort(&mut self, inputs: Vec<Input>, now: Timestamp) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        for input in inputs {
            match input {
                Input::Packets {
                    part,
                    epoch,
                    acknowledger,
                    deliveries,
                } => self.unpack(part, epoch, &acknowledger, deliveries, &mut arrived),
                Input::Local(local) => self.take_local(local, &mut arrived),
                Input::Claimed { part, claim } => self.claimed(part, claim, now),
                Input::Release { part } => {
                    if let Some(holding) = self.partitions.get_mut(&part) {
                        holding.leaving = true;
                    }
                }
                Input::Durable {
                    part,
                    epoch,
                    number,
                } => {
                    if let Some(holding) = self.holding(&part, epoch) {
                        holding.partition.durable(number);
                    }
                }
                Input::InBroker { part, epoch, ids } => {
                    if let Some(holding) = self.holding(&part, epoch) {
                        ids.into_iter()
                            .for_each(|(id, which)| holding.partition.in_broker(id, which));
                    }
                }
                Input::Last { part, epoch } => self.last(&part, epoch),
                Input::Lost { part, epoch } => self.lost(&part, epoch),
                Input::Alive(alive) => self.alive = alive,
                Input::Foreign { part, id, run } => {
                    if let Some(holding) = self.partitions.get_mut(&part)
                        && let Err(error) = holding.partition.shard.stop_foreign(id, run, now)
                    {
                        tracing::error!(instance = %id, "{error}");
                    }
                }
            }
        }
        arrived
    }

    fn holding(&mut self, part: &Part, epoch: Epoch) -> Option<&mut Holding> {
        let holding = self.partitions.get_mut(part)?;
        (holding.partition.claim().epoch == epoch).then_some(holding)
    }

    fn unpack(
        &mut self,
        part: Part,
        epoch: Epoch,
        acknowledger: &Arc<dyn Acknowledge>,
        deliveries: Vec<Delivery>,
        arrived: &mut Vec<Arrived>,
    ) {
        for delivery in deliveries {
            // Of a claim that is over, or about to be: the next owner gets it.
            let Some(holding) = self
                .holding(&part, epoch)
                .filter(|holding| !holding.leaving)
            else {
                return;
            };
            let owed = Settle {
                acknowledger: Arc::clone(acknowledger),
                tag: delivery.tag,
            };
            let reason = match Packet::decode(&delivery.payload) {
                Ok(Packet::Messages { client, messages }) => {
                    holding.settles.push(owed);
                    let client = (!client.is_empty()).then(|| Arc::from(client.as_str()));
                    arrived.extend(messages.into_iter().map(|(to, message)| Arrived {
                        part: part.clone(),
                        client: client.clone(),
                        to,
                        what: What::Message(message),
                        local: None,
                    }));
                    continue;
                }
                Ok(Packet::TurnDone(done)) => {
                    holding.settles.push(owed);
                    arrived.push(Arrived {
                        part: part.clone(),
                        client: None,
                        to: done.instance,
                        what: What::Turn(done),
                        local: None,
                    });
                    continue;
                }
                Ok(_) => "it is no packet for an inbox".to_owned(),
                Err(error) if is_newer(&error) => {
                    holding.leaving = true;
                    tracing::error!(
                        "partition {part} is left to workers of a newer release: {error}"
                    );
                    return;
                }
                Err(error) => error.to_string(),
            };
            self.set_aside(&part, delivery.payload, reason, Some(owed));
        }
    }

    fn set_aside(&self, part: &Part, payload: bytes::Bytes, why: String, owed: Option<Settle>) {
        tracing::error!("a message for partition {part} was set aside: {why}");
        let topic = Topic::Inbox(part.clone());
        let transport = Arc::clone(&self.parts.transport);
        self.parts.handle.spawn(async move {
            if transport.set_aside(&topic, payload, why).await.is_ok() {
                settle(owed.into_iter().collect());
            }
        });
    }

    fn take_local(&mut self, local: Local, arrived: &mut Vec<Arrived>) {
        match self.partitions.get(&local.part) {
            Some(holding) if !holding.left => {
                arrived.push(Arrived {
                    part: local.part,
                    client: None,
                    to: local.to,
                    what: What::Message(local.message),
                    local: Some(local.settles),
                });
            }
            Some(_) | None => self.parts.desk.forward(local),
        }
    }

    /// How many timers each partition may ring in this round. Many that are due together are best
    /// rung in one: smaller rounds cost more calls of the store than they gain in overlap.
    fn timers_each(&self, now: Timestamp) -> usize {
        let partitions = self.partitions.values();
        let is_due = |holding: &&Holding| {
            let next = holding.partition.shard.next_timer();
            next.is_some_and(|next| next <= now)
        };
        let ringing = partitions.filter(is_due).count();
        (TIMERS_AT_ONCE / ringing.max(1)).max(TIMERS_EACH_MIN)
    }

    /// Reads what the round will want of histories: all at once.
    fn fetch(&self, arrived: &[Arrived], now: Timestamp, timers: usize) {
        let mut wanted: BTreeMap<&Part, BTreeSet<InstanceId>> = self
            .partitions
            .iter()
            .filter(|(_, holding)| !holding.left)
            .map(|(part, holding)| (part, holding.partition.upcoming(now, timers)))
            .collect();
        for Arrived { part, to, what, .. } in arrived {
            let Some(holding) = self.partitions.get(part) else {
                continue;
            };
            let is_wanted = match what {
                What::Message(message) => holding.partition.must_read(message, *to),
                What::Turn(_) => holding.partition.shard.instance(*to).is_none(),
            };
            if is_wanted {
                wanted.entry(part).or_default().insert(*to);
            }
        }
        wanted.retain(|_, ids| !ids.is_empty());
        if wanted.is_empty() {
            return;
        }
        let fetches: Vec<_> = wanted
            .into_iter()
            .filter_map(|(part, ids)| {
                let view = Arc::clone(&self.partitions.get(part)?.partition.view);
                Some(self.parts.handle.spawn(async move {
                    // What could not be read now is read when it is needed.
                    view.fetch(ids.into_iter().collect()).await.ok();
                }))
            })
            .collect();
        self.parts.handle.block_on(async {
            for fetch in fetches {
                fetch.await.ok();
            }
        });
    }

    fn handle(&mut self, arrived: Arrived, now: Timestamp) {
        let Arrived {
            part,
            client,
            to,
            what,
            local,
        } = arrived;
        let local = match (&what, local) {
            (What::Message(message), Some(settles)) => Some(Local {
                part: part.clone(),
                to,
                message: message.clone(),
                settles,
            }),
            _ => None,
        };
        let Some(holding) = self.partitions.get_mut(&part) else {
            // It was lost in this very round.
            local.into_iter().for_each(|it| self.parts.desk.forward(it));
            return;
        };
        holding.fenced |= client.is_none();
        if let Some(local) = local {
            holding.settles.extend(local.settles.iter().cloned());
            holding.locals.push(local);
        }
        let message = match what {
            What::Message(message) => message,
            What::Turn(done) => {
                if let Err(error) = holding.partition.turn_done(*done, now) {
                    tracing::error!(instance = %to, "a turn was left: {error}");
                }
                return;
            }
        };
        match holding.partition.handle(client.as_ref(), to, message, now) {
            Ok(()) => {}
            Err(Trouble::Newer(why)) => {
                tracing::error!("partition {part} is left to workers of a newer release: {why}");
                self.drop_part(&part);
            }
            Err(Trouble::Poison(Poison { packet, reason })) => {
                self.set_aside(&part, packet.encode(), reason, None);
            }
        }
    }

    fn tick(&mut self, now: Timestamp, timers: usize) {
        let alive = Arc::clone(&self.alive);
        let is_alive = |member: &str| alive.contains(member);
        for (part, holding) in &mut self.partitions {
            if holding.left {
                continue;
            }
            let maintain = now.since(holding.maintained) >= MAINTENANCE_EVERY;
            if maintain {
                holding.maintained = now;
            }
            if let Err(error) = holding.partition.tick(now, maintain, timers, &is_alive) {
                tracing::error!("reading partition {part} failed: {error}");
            }
            if holding.leaving {
                holding.partition.hand_over(now);
            }
        }
    }

    fn end_round(&mut self) {
        // Another thread is at work: what this one has made of its instances is void.
        if !self.parts.inbox.is_current(self.generation) {
            return;
        }
        let mut jobs = Vec::new();
        for holding in self.partitions.values_mut() {
            if holding.left {
                continue;
            }
            for id in holding.partition.shard.struck() {
                self.parts.culprits.forgive(id);
            }
            holding.partition.view.forget();
            let settles = std::mem::take(&mut holding.settles);
            let locals = std::mem::take(&mut holding.locals);
            let fenced = std::mem::take(&mut holding.fenced);
            match holding.partition.end_round() {
                Some(round) => jobs.push(Job {
                    round,
                    settles,
                    locals,
                    fenced,
                    last: holding.leaving,
                }),
                // Nothing came of it, and what it repeated is owed by others.
                None if !holding.leaving && !fenced && settles.is_empty() => {}
                // What it repeated may be on its way to the store: the broker keeps it until then.
                None if !holding.leaving && !fenced && !holding.partition.has_undurable() => {
                    settle(settles);
                }
                None => jobs.push(Job {
                    round: holding.partition.empty_round(),
                    settles,
                    locals,
                    fenced,
                    last: holding.leaving,
                }),
            }
            holding.left = holding.leaving;
        }
        if !jobs.is_empty() {
            self.parts.writer.submit(jobs);
        }
    }

    /// Runs no turn of those that got a thread stuck, until that has kept one from running: what
    /// it was run for comes again.
    fn bar_culprits(&mut self) {
        for (id, why) in self.parts.culprits.barred() {
            for holding in self.partitions.values_mut() {
                holding.partition.shard.bar(id, why.clone());
            }
        }
    }

    fn patience(&self) -> Duration {
        let now = self.parts.clock.now();
        let next = self
            .partitions
            .values()
            .filter(|holding| !holding.left)
            .filter_map(|holding| holding.partition.next_tick())
            .min();
        next.map_or(MAINTENANCE_EVERY, |due| {
            due.since(now).min(MAINTENANCE_EVERY)
        })
    }
}
