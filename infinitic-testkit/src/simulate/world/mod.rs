//! The world: virtual time, a queue of events, and what stands between clients, process and store.
//!
//! Single-threaded; everything that happens is an event, and what may happen at the same time
//! happens in an order drawn from the seed. `client` is what clients do, `life` how processes begin
//! and end, `work` what a process does, `rest` how a run comes to its end.

mod client;
mod life;
mod rest;
mod work;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};

use infinitic_core::{
    Answer, Attempt, CommandId, InstanceId, Message, RequestId, Sequence, Timestamp,
};
use infinitic_runtime::worker::Hosted;

use super::code::Simulated;
use super::process::{Dice, Process, Shared, lock};
use super::profile::Profile;
use super::program::Call;
use super::rng::{Rng, mix};
use super::store::SimStore;
use super::watch::Watch;
use super::{Options, Report};
pub(crate) use client::{Asked, Client};
pub(crate) use rest::MUST_BE_EMPTY;

/// Events after which a run is given up: some hundred times what the longest one needs.
const EVENTS_MAX: u64 = 400_000;
/// The last of them, which tell why there is no end.
const LAST_EVENTS: u64 = 30;

/// Where virtual time begins: late enough that clocks may run behind.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message arrives at the process; one of that life only, if it is given.
    Arrives {
        life: Option<u64>,
        to: InstanceId,
        message: Box<Message>,
    },
    /// A shard's thread looks at its mailbox and its timers.
    Round { life: u64, lane: usize },
    /// The committer writes.
    Write { life: u64 },
    /// The committer lets go what is durable.
    Release { life: u64 },
    /// An attempt ends.
    Ends {
        life: u64,
        id: CommandId,
        sequence: Sequence,
        attempt: Attempt,
    },
    /// An answer arrives at a client.
    Told {
        request: RequestId,
        answer: Box<Answer>,
    },
    /// A client looks whether it must ask (again).
    Asks { client: usize },
    /// Somebody steers an instance.
    Steers { client: usize },
    /// The process starts, if none runs.
    Start,
    /// The process dies.
    Crash,
    /// The process is asked to stop.
    Stop,
    /// A shard's thread is given up and replaced.
    Replace,
    /// The machine's clock jumps.
    Jump,
    /// No more faults.
    Heal,
    /// Somebody looks whether all is over, and retries what stands still.
    Look,
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
    /// How far the machine's clock is from true time.
    offset: i64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    handled: u64,
    /// Events that are under way beside those of clients: while there are some, work goes on.
    arriving: u64,
    pub(crate) store: Arc<SimStore>,
    hosted: Hosted,
    dice: Shared<Dice>,
    pub(crate) process: Option<Process>,
    /// Number of the process.
    life: u64,
    /// Unclean exits in a row.
    unclean: u32,
    pub(crate) clients: Vec<Client>,
    requests: BTreeMap<RequestId, Asked>,
    /// The calls of all programs: what tells how long attempts take.
    calls: BTreeMap<(InstanceId, u32), Call>,
    healing: bool,
    over: bool,
    looks: rest::Looks,
    pub(crate) watch: Watch,
    trace: Vec<String>,
    digest: u64,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        super::code::reset();
        let mut rng = Rng::new(seed);
        let profile = Profile::draw(&mut rng.fork());
        let dice = Arc::new(Mutex::new(Dice {
            rng: rng.fork(),
            per_mille: profile.crash_per_mille,
            left: profile.crashes_max,
            struck: BTreeMap::new(),
        }));
        let store = SimStore::new(rng.fork(), &profile, &dice);
        let hosted = Hosted::default();
        hosted
            .workflow(Simulated::default)
            .expect("it is the only workflow");
        let mut world = Self {
            rng,
            options: options.clone(),
            now: 0,
            offset: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            handled: 0,
            arriving: 0,
            store: Arc::new(store),
            hosted,
            dice,
            process: None,
            life: 0,
            unclean: 0,
            clients: Vec::new(),
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            healing: false,
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
            let client = Client::draw(&mut self.rng.fork(), &self.profile, EPOCH_MS);
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
            (self.profile.crashes, (|| Event::Crash) as fn() -> Event),
            (self.profile.stops, || Event::Stop),
            (self.profile.replacements, || Event::Replace),
            (self.profile.jumps, || Event::Jump),
        ];
        for (count, event) in faults {
            for _ in 0..count {
                let at = self.rng.below(span);
                self.schedule(at, event());
            }
        }
        self.schedule(0, Event::Start);
        self.schedule(span, Event::Heal);
    }

    /// Lets things happen until all is over, and judges.
    pub(crate) fn run(mut self) -> Report {
        while !self.over {
            let Some(Reverse(next)) = self.queue.pop() else {
                self.watch.violation("nothing happens any more".to_owned());
                break;
            };
            self.handled += 1;
            if self.handled > EVENTS_MAX {
                self.watch
                    .violation(format!("{EVENTS_MAX} events, and no end"));
                break;
            }
            self.now = self.now.max(next.time);
            self.digest = mix(self.digest, mix(self.now, next.number));
            self.store.set_now(self.clock());
            if self.handled > EVENTS_MAX - LAST_EVENTS {
                self.trace(|_| format!("event: {:?}", next.event));
            }
            self.happens(next.event);
        }
        if self.watch.is_clean() {
            self.judge();
        }
        self.watch.extend(self.store.take_violations());
        let points = std::mem::take(&mut lock(&self.dice).struck);
        self.watch.count_all(points);
        Report {
            violations: self.watch.take_violations(),
            points: self.watch.take_points(),
            trace: self.trace,
            digest: self.digest,
            events: self.handled,
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives { life, to, message } => self.arrives(life, to, *message),
            Event::Round { life, lane } => self.round_if(life, lane),
            Event::Write { life } if self.lives(life) => self.write(),
            Event::Release { life } if self.lives(life) => self.release(),
            Event::Ends {
                life,
                id,
                sequence,
                attempt,
            } if self.lives(life) => self.attempt_ends(id, sequence, attempt),
            // The process that wanted it is dead.
            Event::Write { .. } | Event::Release { .. } | Event::Ends { .. } => {}
            Event::Told { request, answer } => self.told(request, &answer),
            Event::Asks { client } => self.asks(client),
            Event::Steers { client } => self.steers(client),
            Event::Start => self.start(),
            Event::Crash => self.crash("at any moment"),
            Event::Stop => self.stop(),
            Event::Replace => self.replace(),
            Event::Jump => self.jump(),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    fn lives(&self, life: u64) -> bool {
        self.process.is_some() && self.life == life
    }

    /// The machine's clock.
    pub(crate) fn clock(&self) -> Timestamp {
        let true_time = EPOCH_MS + self.now;
        Timestamp::from_millis(true_time.saturating_add_signed(self.offset))
    }

    /// In how many milliseconds the machine's clock shows that time.
    fn until(&self, time: Timestamp) -> u64 {
        time.as_millis().saturating_sub(self.clock().as_millis())
    }

    fn schedule(&mut self, delay: u64, event: Event) {
        self.scheduled += 1;
        if matches!(event, Event::Arrives { .. } | Event::Told { .. }) {
            self.arriving += 1;
        }
        let scheduled = Scheduled {
            time: self.now + delay,
            tie: self.rng.next(),
            number: self.scheduled,
            event,
        };
        self.queue.push(Reverse(scheduled));
    }

    fn trace(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.options.trace {
            let line = format!("{:>10} {}", self.now, text(self));
            self.trace.push(line);
        }
    }
}
