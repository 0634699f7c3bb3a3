//! The world of a cluster: virtual time, a queue of events, and what stands between clients,
//! broker, members and store.
//!
//! `client` is what clients do, `life` how members begin and end, `fleet` how they share
//! partitions, `engine` and `writer` what they do with them, `desk` how attempts run, `network` how
//! messages travel, `rest` how a run comes to its end.

mod client;
mod desk;
mod engine;
mod fleet;
mod life;
mod network;
mod rest;
mod writer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{Answer, CommandId, InstanceId, RequestId, Timestamp};
use infinitic_runtime::cluster::memory::store::MemorySharedStore;
use infinitic_runtime::cluster::store::{Epoch, Fleet, Part, PartCommit, Written};
use infinitic_runtime::cluster::transport::Topic;
use infinitic_runtime::worker::{Hosted, Which};

use super::super::Report;
use super::super::code::{self, Simulated};
use super::super::program::Call;
use super::super::rng::{Rng, mix};
use super::broker::{Broker, Given, Owed, Pool};
use super::member::Member;
use super::profile::Profile;
use super::store::{SimStore, VirtualClock};
use super::watch::Watch;
use super::{Options, Plant};
use client::Client;

/// Events after which a run is given up: some ten times what the longest one needs.
const EVENTS_MAX: u64 = 1_000_000;

/// Where virtual time begins: late enough that clocks may run behind.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// Something that happens to a member, once it is there to notice.
#[derive(Debug)]
pub(crate) enum Own {
    /// It tells the store that it is alive.
    Beat,
    /// The store has answered that.
    Beaten(Box<Fleet>),
    /// Its engine takes what has arrived.
    Round,
    /// The store has answered a write, or the connection broke.
    Written {
        call: u64,
        result: Result<Vec<Written>, ()>,
    },
    /// It writes again what may not have been written.
    WriteAgain { call: u64 },
    /// The broker delivers packets to a partition's reader.
    Packets {
        part: Part,
        rank: u32,
        given: Vec<Given>,
    },
    /// The broker delivers an attempt.
    Task(Given),
    /// The broker delivers a turn.
    Turn(Given),
    /// Attempts are not wanted any more.
    Cancels(Vec<(CommandId, Which)>),
    /// The broker has confirmed a message.
    Confirmed { pending: u64 },
    /// A partition's reader is closed; it is released.
    Closed { part: Part, epoch: Epoch },
    /// An attempt ends.
    Ends { id: CommandId, which: Which },
    /// The time that running attempts have to end is over: it stops.
    Drained,
    /// It leaves the fleet, whatever is not handed over.
    Leave,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something happens to a member, if it lives.
    Of { life: u64, own: Own },
    /// A write arrives at the store; `answers` says whether somebody waits for its answer.
    WriteArrives {
        life: u64,
        call: u64,
        commits: Vec<PartCommit>,
        answers: bool,
    },
    /// A claim arrives late, when nobody waits for it any more.
    ClaimArrives { life: u64, part: Part },
    /// A release arrives.
    ReleaseArrives { life: u64, part: Part, epoch: Epoch },
    /// A message arrives at the broker.
    Reaches(Reaches),
    /// A reader opens.
    Opens { life: u64, part: Part, rank: u32 },
    /// A member begins to take attempts.
    Takes { life: u64, pool: Pool },
    /// An acknowledgement arrives at the broker.
    Acknowledged { life: u64, owed: Vec<Owed> },
    /// An attempt is given back to the broker.
    GivenBack { life: u64, pool: Pool, id: u64 },
    /// The broker loses the connection to a member for good, or for long.
    Gone { life: u64 },
    /// The broker gives what it holds.
    Gives,
    /// An answer arrives at a client.
    Told {
        request: RequestId,
        answer: Box<Answer>,
    },
    /// A client looks whether it must ask (again).
    Asks { client: usize },
    /// Somebody steers an instance.
    Steers { client: usize },
    /// A member starts in that place, if there is none.
    Start { slot: u64 },
    /// A fault strikes.
    Strikes(Fault),
    /// A member wakes up.
    Wakes { life: u64 },
    /// No more faults.
    Heal,
    /// Somebody looks whether all is over, and retries what stands still.
    Look,
}

/// What goes wrong at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Death,
    Stop,
    Freeze,
    StoreOutage,
    BrokerOutage,
    Break,
}

/// A message on its way to the broker.
#[derive(Debug)]
pub(crate) struct Reaches {
    /// The member; none for clients.
    pub(crate) life: Option<u64>,
    pub(crate) topic: Topic,
    pub(crate) payload: Bytes,
    /// What waits for the confirmation.
    pub(crate) pending: Option<u64>,
}

struct Scheduled {
    time: u64,
    tie: u64,
    number: u64,
    event: Event,
}

impl Scheduled {
    fn key(&self) -> (u64, u64, u64) {
        (self.time, self.tie, self.number)
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// All there is.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) profile: Profile,
    options: Options,
    /// Milliseconds since the run began.
    now: u64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    handled: u64,
    clock: VirtualClock,
    pub(crate) store: SimStore,
    hosted: Hosted,
    /// For members that host services only.
    nothing: Hosted,
    workflow: WorkflowName,
    broker: Broker,
    /// Until when store and broker are away.
    store_away: u64,
    broker_away: u64,
    /// What arrives at the broker while it is away.
    waiting: Vec<Reaches>,
    /// Topics to which a dead member's later messages do not come any more.
    cut: BTreeSet<(u64, Topic)>,
    /// When the last message to each reader arrives: the next one comes after it.
    delivers: BTreeMap<(u64, Part), u64>,
    members: BTreeMap<u64, Member>,
    lives: u64,
    calls_made: u64,
    crashes_left: u32,
    clients: Vec<Client>,
    requests: BTreeMap<RequestId, client::Asked>,
    /// The calls of all programs: what tells how long attempts take.
    calls: BTreeMap<(InstanceId, u32), Call>,
    healing: bool,
    healed_at: u64,
    over: bool,
    looks: rest::Looks,
    pub(crate) watch: Watch,
    trace: Vec<String>,
    digest: u64,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        code::reset();
        let mut rng = Rng::new(mix(seed, 0xc1));
        let profile = Profile::draw(&mut rng.fork());
        let hosted = Hosted::default();
        hosted
            .workflow(Simulated::default)
            .expect("it is the only workflow");
        let workflow = WorkflowName::known("Simulated");
        let clock = VirtualClock::default();
        let rows = MemorySharedStore::new(Arc::new(clock.clone()));
        let parts = rows.parts_now(&workflow, profile.parts);
        let part = |number| Part {
            workflow: workflow.clone(),
            number,
        };
        let store = SimStore::new(rows, (0..parts).map(part).collect(), options.plant);
        let mut world = Self {
            rng,
            options: options.clone(),
            now: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            handled: 0,
            clock,
            store,
            hosted,
            nothing: Hosted::default(),
            workflow,
            broker: Broker::default(),
            store_away: 0,
            broker_away: 0,
            waiting: Vec::new(),
            cut: BTreeSet::new(),
            delivers: BTreeMap::new(),
            members: BTreeMap::new(),
            lives: 0,
            calls_made: 0,
            crashes_left: profile.crashes_max,
            clients: Vec::new(),
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            healing: false,
            healed_at: 0,
            over: false,
            looks: rest::Looks::default(),
            watch: Watch::default(),
            trace: Vec::new(),
            digest: mix(seed, 0),
            profile,
        };
        world.begin();
        world
    }

    /// What will happen whatever else does.
    fn begin(&mut self) {
        let span = self.profile.span_ms;
        self.trace(|world| format!("{:?}", world.profile));
        for index in 0..self.profile.clients {
            let index = usize::try_from(index).expect("there are a few clients");
            let client = Client::draw(&mut self.rng.fork(), &self.profile);
            for call in client.calls() {
                self.calls.insert((client.id, call.label), call.clone());
            }
            self.clients.push(client);
            let at = self.rng.below(span / 2);
            self.schedule(at, Event::Asks { client: index });
            for _ in 0..self.profile.verbs {
                let at = self.rng.below(span);
                self.schedule(at, Event::Steers { client: index });
            }
        }
        let faults = [
            (self.profile.deaths, Fault::Death),
            (self.profile.stops, Fault::Stop),
            (self.profile.freezes, Fault::Freeze),
            (self.profile.store_outages, Fault::StoreOutage),
            (self.profile.broker_outages, Fault::BrokerOutage),
            (self.profile.breaks, Fault::Break),
        ];
        for (count, fault) in faults {
            for _ in 0..count {
                let at = self.rng.below(span);
                self.schedule(at, Event::Strikes(fault));
            }
        }
        for slot in 0..self.profile.slots {
            // The first is there from the beginning; others join.
            let at = if slot == 0 {
                0
            } else {
                self.rng.below(span / 2)
            };
            self.schedule(at, Event::Start { slot });
        }
        self.schedule(span, Event::Heal);
    }

    /// Lets things happen until all is over, and judges.
    pub(crate) fn run(mut self) -> Report {
        while !self.over {
            if !self.step() {
                break;
            }
        }
        if self.watch.violations.is_empty() {
            self.judge();
        }
        Report {
            violations: std::mem::take(&mut self.watch.violations),
            points: std::mem::take(&mut self.watch.points),
            trace: self.trace,
            digest: self.digest,
            events: self.handled,
        }
    }

    /// Lets the next thing happen; false when there is none, or no end.
    fn step(&mut self) -> bool {
        let Some(Reverse(next)) = self.queue.pop() else {
            self.watch.violation("nothing happens any more".to_owned());
            return false;
        };
        self.handled += 1;
        if self.handled > EVENTS_MAX {
            self.watch
                .violation(format!("{EVENTS_MAX} events, and no end"));
            return false;
        }
        self.now = self.now.max(next.time);
        self.digest = mix(self.digest, mix(self.now, next.number));
        self.clock.set(self.store_clock());
        self.happens(next.event);
        true
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Of { life, own } => self.of(life, own),
            Event::WriteArrives {
                life,
                call,
                commits,
                answers,
            } => self.write_arrives(life, call, &commits, answers),
            Event::ClaimArrives { life, part } => self.claim_arrives(life, &part),
            Event::ReleaseArrives { life, part, epoch } => {
                self.release_arrives(life, part, epoch);
            }
            Event::Reaches(reaches) => self.reaches(reaches),
            Event::Opens { life, part, rank } => {
                if self.members.contains_key(&life) {
                    self.broker.opens(&part, (life, rank));
                    self.gives();
                }
            }
            Event::Takes { life, pool } => {
                if self.members.contains_key(&life) {
                    self.broker.takes(pool, life);
                    self.gives();
                }
            }
            Event::Acknowledged { life, owed } => self.acknowledged(life, &owed),
            Event::GivenBack { life, pool, id } => {
                self.broker.give_back(life, pool, id);
                self.gives();
            }
            Event::Gone { life } => self.gone(life),
            Event::Gives => self.gives(),
            Event::Told { request, answer } => self.told(request, &answer),
            Event::Asks { client } => self.asks(client),
            Event::Steers { client } => self.steers(client),
            Event::Start { slot } => self.start(slot),
            Event::Strikes(fault) => self.strikes(fault),
            Event::Wakes { life } => self.wakes(life),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    /// Something happens to a member, now or when it wakes up.
    fn of(&mut self, life: u64, own: Own) {
        let Some(mut member) = self.members.remove(&life) else {
            return;
        };
        if member.frozen {
            member.deferred.push_back(own);
            self.members.insert(life, member);
            return;
        }
        self.does(&mut member, own);
        self.put_back(member);
    }

    /// A member has done something, and goes on, unless it has died of it.
    fn put_back(&mut self, member: Member) {
        if member.dead {
            self.buried(&member);
        } else {
            self.members.insert(member.life, member);
        }
    }

    fn does(&mut self, member: &mut Member, own: Own) {
        match own {
            Own::Beat => self.beat(member),
            Own::Beaten(fleet) => self.beaten(member, *fleet),
            Own::Round => self.round_if(member),
            Own::Written { call, result } => self.written(member, call, result),
            Own::WriteAgain { call } => self.write_again(member, call),
            Own::Packets { part, rank, given } => {
                member
                    .inbox
                    .push_back(super::member::packets(&part, rank, given));
                self.round_soon(member);
            }
            Own::Task(given) => self.taken(member, given),
            Own::Cancels(ids) => {
                for (id, which) in ids {
                    self.cancel(member, id, which);
                }
            }
            Own::Confirmed { pending } => self.confirmed(member, pending),
            Own::Closed { part, epoch } => self.closed(member, part, epoch),
            Own::Turn(given) => self.turn_taken(member, given),
            Own::Ends { id, which } => self.attempt_ends(member, id, which),
            Own::Drained => self.drained(member),
            Own::Leave => self.leave(member),
        }
    }

    /// The store's clock.
    pub(crate) fn store_clock(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now)
    }

    fn store_is_away(&self) -> bool {
        self.now < self.store_away
    }

    fn plants(&self, plant: Plant) -> bool {
        self.options.plant == Some(plant)
    }

    /// Whether a call of the store goes wrong.
    fn store_fails(&mut self) -> bool {
        !self.healing && self.rng.chance(self.profile.store_faults)
    }

    /// Whether a member dies here.
    fn dies_at(&mut self, member: &mut Member, point: &'static str) -> bool {
        let strikes =
            !self.healing && self.crashes_left > 0 && self.rng.chance(self.profile.crash_per_mille);
        if strikes {
            self.crashes_left -= 1;
            self.watch.count(point);
            self.trace(|_| format!("{} dies {point}", member.id));
            member.dead = true;
        }
        member.dead
    }

    fn schedule(&mut self, delay: u64, event: Event) {
        self.scheduled += 1;
        let scheduled = Scheduled {
            time: self.now + delay,
            tie: self.rng.next(),
            number: self.scheduled,
            event,
        };
        self.queue.push(Reverse(scheduled));
    }

    fn schedule_own(&mut self, delay: u64, life: u64, own: Own) {
        self.schedule(delay, Event::Of { life, own });
    }

    fn trace(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.options.trace {
            let line = format!("{:>10} {}", self.now, text(self));
            self.trace.push(line);
        }
    }
}
