//! A running worker: its threads, and how they start, watch each other and stop.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use infinitic_core::{InstanceId, Message, Timestamp};
use tokio::sync::watch;

use super::Hosted;
use super::committer::{Committer, Releaser};
use super::recovery;
use super::resume::Untried;
use super::settings::ShardSettings;
use super::shard::{OnForeign, Shard, unreadable};
use super::watchdog::{Running, RunningTurn, given_up};
use crate::backend::{KeyValue, StoreError};
use crate::client::Replies;
use crate::clock::{self, Clock};
use crate::mailbox::{Input, Mailbox, Taken, shard_of};
use crate::service::Executor;

/// How often the watchdog looks.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// How long a turn may take that begins when the grace period of a stopping worker is over: turns
/// take microseconds.
const LAST_TURNS: Duration = Duration::from_millis(500);
/// How often a stopping worker looks whether a thread has ended.
const JOIN_EVERY: Duration = Duration::from_micros(500);
/// How often a shard looks for checkpoints and purges.
const MAINTENANCE_EVERY: Duration = Duration::from_secs(2);
/// Instances recovered between two commits.
const RECOVERED_AT_ONCE: usize = 500;
/// Timers rung in one round at most; as for messages.
const TIMERS_AT_ONCE: usize = 512;
/// Stack of a shard's thread: workflow code runs on it, and deserves as much as a main thread has.
const STACK_BYTES: usize = 8 << 20;

/// What a node is made of.
pub(crate) struct NodeParts {
    pub(crate) store: Arc<dyn KeyValue>,
    pub(crate) hosted: Hosted,
    pub(crate) executor: Executor,
    pub(crate) replies: Arc<Replies>,
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: ShardSettings,
    /// Longest time that a turn may take.
    pub(crate) turn_limit: Duration,
}

/// The running threads.
pub(crate) struct Node {
    shared: Arc<Shared>,
    stopped: AtomicBool,
    committer_thread: Mutex<Option<JoinHandle<()>>>,
    watchdog_thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    /// Whether a thread of the worker has panicked: a fault of ours, after which nothing is safe
    /// but to stop and start again from what is durable.
    failed: watch::Sender<bool>,
    parts: NodeParts,
    committer: Arc<Committer>,
    shards: Vec<ShardThread>,
    stopping: AtomicBool,
    /// When the worker's grace period ends, once it stops: no turn is waited for beyond.
    turns_end: OnceLock<Instant>,
}

struct ShardThread {
    number: u16,
    running: Mutex<Arc<Running>>,
    untried: Untried,
    generation: Mutex<u64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("shards", &self.shared.shards.len())
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Recovers what the store holds and starts the threads.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn start(parts: NodeParts) -> Result<(Self, recovery::Recovered), StoreError> {
        let committer = Committer::new(Arc::clone(&parts.store), parts.mailboxes.len());
        let releaser = releaser(&parts);
        let thread = {
            let committer = Arc::clone(&committer);
            spawn("infinitic-committer", move || committer.run(&releaser))
        };
        let total = parts.mailboxes.len();
        let mut shards: Vec<Shard> = (0..total)
            .map(|number| new_shard(&parts, &committer, u16::try_from(number).unwrap_or(0), 0))
            .collect();
        let recovered = recover(&parts, &committer, &mut shards, 0)?;
        let shard_threads = shards
            .iter()
            .map(|shard| ShardThread {
                number: shard.number,
                running: Mutex::new(Arc::clone(&shard.running)),
                untried: shard.resuming.untried.clone(),
                generation: Mutex::new(0),
                thread: Mutex::new(None),
            })
            .collect();
        let shared = Arc::new(Shared {
            failed: watch::channel(false).0,
            parts,
            committer,
            shards: shard_threads,
            stopping: AtomicBool::new(false),
            turns_end: OnceLock::new(),
        });
        for shard in shards {
            run_shard(&shared, shard, 0);
        }
        let watchdog_thread = {
            let shared = Arc::clone(&shared);
            spawn("infinitic-watchdog", move || shared.watch())
        };
        let node = Self {
            shared,
            stopped: AtomicBool::new(false),
            committer_thread: Mutex::new(Some(thread)),
            watchdog_thread: Mutex::new(Some(watchdog_thread)),
        };
        Ok((node, recovered))
    }

    /// Ends when a thread of the worker has panicked.
    pub(crate) fn failed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut failed = self.shared.failed.subscribe();
        async move {
            if failed.wait_for(|failed| *failed).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Finishes what has arrived, makes it durable and ends the threads. Blocks. A turn that runs
    /// beyond `turns_end` is given up: its instance is stopped, and tried again at the next start.
    pub(crate) fn stop(&self, turns_end: Option<Instant>) {
        let shared = &self.shared;
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(turns_end) = turns_end {
            shared.turns_end.get_or_init(|| turns_end);
        }
        for mailbox in &shared.parts.mailboxes {
            mailbox.close();
        }
        for shard in &shared.shards {
            join_last(&shard.thread);
        }
        // Not before: a turn that never ends keeps its thread until the watchdog gives it up.
        shared.stopping.store(true, Ordering::SeqCst);
        shared.committer.close();
        join(&self.committer_thread);
        if let Some(watchdog) = self
            .watchdog_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            watchdog.thread().unpark();
            if watchdog.join().is_err() {
                tracing::error!("the watchdog's thread panicked");
            }
        }
        shared.parts.replies.close();
        shared.parts.store.close();
    }
}

/// Waits for the end of a thread, or of the one that takes over from it.
fn join_last(thread: &Mutex<Option<JoinHandle<()>>>) {
    let runs = || {
        let handle = thread.lock().unwrap_or_else(PoisonError::into_inner);
        handle.as_ref().is_some_and(|handle| !handle.is_finished())
    };
    while runs() {
        std::thread::park_timeout(JOIN_EVERY);
    }
    join(thread);
}

fn join(thread: &Mutex<Option<JoinHandle<()>>>) {
    let handle = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
    if handle.is_some_and(|handle| handle.join().is_err()) {
        tracing::error!("a worker thread panicked");
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .expect("the operating system gives a worker its few threads")
}

fn releaser(parts: &NodeParts) -> Releaser {
    let mailboxes = parts.mailboxes.clone();
    Releaser {
        executor: parts.executor.clone(),
        replies: Arc::clone(&parts.replies),
        to_shard: Arc::new(move |to, message| post(&mailboxes, to, message)),
    }
}

/// Puts a message into the mailbox of the shard that owns its instance.
pub(crate) fn post(mailboxes: &[Arc<Mailbox>], to: InstanceId, message: Message) {
    mailboxes[shard_of(to, mailboxes.len())].push(Input::Message {
        to,
        message,
        fresh: false,
        room: None,
    });
}

/// Recovers shards, handing over what they write in pieces.
fn recover(
    parts: &NodeParts,
    committer: &Committer,
    shards: &mut [Shard],
    generation: u64,
) -> Result<recovery::Recovered, StoreError> {
    let now = parts.clock.now();
    let mut touched = 0_usize;
    recovery::recover(
        &*parts.store,
        shards,
        parts.mailboxes.len(),
        now,
        &mut |shard| {
            touched += 1;
            if touched.is_multiple_of(RECOVERED_AT_ONCE)
                && let Some(commit) = shard.take_commit()
            {
                committer.submit(commit, generation);
            }
            shard.made_durable(committer.durable(shard.number));
        },
    )
}

fn new_shard(parts: &NodeParts, committer: &Arc<Committer>, number: u16, generation: u64) -> Shard {
    let mailbox = Arc::clone(&parts.mailboxes[usize::from(number)]);
    let on_foreign: OnForeign = Arc::new(move |id, run| mailbox.push(Input::Foreign { id, run }));
    let store = Arc::clone(&parts.store);
    let settings = parts.settings.clone();
    let mut shard = Shard::new(number, store, &parts.hosted, settings, on_foreign);
    shard.resume_later();
    let committer = Arc::clone(committer);
    shard.commit_now = Some(Arc::new(move |commit| {
        let (shard, number) = (commit.shard, commit.number);
        committer.submit(commit, generation);
        committer.wait_durable(shard, number);
    }));
    shard
}

fn run_shard(shared: &Arc<Shared>, shard: Shard, generation: u64) {
    let entry = &shared.shards[usize::from(shard.number)];
    *entry.running.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&shard.running);
    *entry
        .generation
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = generation;
    let body = {
        let shared = Arc::clone(shared);
        move || {
            let driven = catch_unwind(AssertUnwindSafe(|| shared.drive(shard, generation)));
            if driven.is_err() {
                shared.failed.send_replace(true);
            }
        }
    };
    let thread = spawn(&format!("infinitic-shard-{}", entry.number), body);
    *entry.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
}

impl Shared {
    /// A shard's thread: rounds until the mailbox closes.
    fn drive(&self, mut shard: Shard, generation: u64) {
        let mailbox = &self.parts.mailboxes[usize::from(shard.number)];
        let mut maintained = Timestamp::default();
        // What recovery asks for must not wait until something arrives.
        let mut patience = Duration::ZERO;
        loop {
            let round = match mailbox.take(generation, patience) {
                Taken::Round(round) => round,
                Taken::Closed => break,
                Taken::GivenUp => return,
            };
            let now = self.parts.clock.now();
            for input in round {
                self.handle(&mut shard, input, now);
            }
            self.survive(shard.resume(now));
            self.survive(shard.ring(now, TIMERS_AT_ONCE));
            if shard.settings.cautious {
                self.survive(shard.examine_suspects(now));
            }
            if now.since(maintained) >= MAINTENANCE_EVERY || now < maintained {
                maintained = now;
                if shard.wants_checkpoint() {
                    shard.take_checkpoint(now);
                }
                self.survive(shard.purge(now));
            } else if shard.is_purging() {
                self.survive(shard.purge_on(now));
            }
            self.commit(&mut shard, generation);
            shard.end_round();
            let now = self.parts.clock.now();
            patience = match shard.next_timer() {
                _ if shard.is_purging() || shard.has_to_resume() => Duration::ZERO,
                Some(due) => due.since(now).min(MAINTENANCE_EVERY),
                None => MAINTENANCE_EVERY,
            };
        }
        let now = self.parts.clock.now();
        shard.take_checkpoint(now);
        self.commit(&mut shard, generation);
    }

    fn commit(&self, shard: &mut Shard, generation: u64) {
        if let Some(commit) = shard.take_commit() {
            self.committer.submit(commit, generation);
        }
        shard.made_durable(self.committer.durable(shard.number));
    }

    fn handle(&self, shard: &mut Shard, input: Input, now: Timestamp) {
        let (id, result, request) = match input {
            Input::Message {
                to,
                message,
                fresh,
                room,
            } => {
                let request = crate::client::request_of(&message);
                let result = shard.handle_known(to, message, now, fresh);
                // What the mailbox has kept of the round holds it as well, until the round is over.
                drop(room);
                (to, result, request)
            }
            Input::Foreign { id, run } => (id, shard.stop_foreign(id, run, now), None),
            Input::Stuck { id, run } => {
                let why = self.stuck_explanation();
                // What is behind it in the round may ask for the same turn: a start, a retry.
                shard.bar(id, why.clone());
                (id, shard.stop(id, run, why, now), None)
            }
        };
        if let Err(error) = result {
            tracing::error!(instance = %id, "a message was set aside: {error}");
            if let Some(request) = request {
                self.parts.replies.answer(request, unreadable(&error));
            }
        }
    }

    fn stuck_explanation(&self) -> String {
        let limit = self.parts.turn_limit;
        let ran = match self.turns_end.get() {
            Some(_) => "was still running when the worker had to stop,".to_owned(),
            None => format!("ran longer than {limit:?}"),
        };
        given_up(&ran)
    }

    /// Whether a turn takes too long that was first seen then.
    fn is_stuck(&self, since: Instant) -> bool {
        let elapsed = since.elapsed();
        let must_end = self.turns_end.get();
        elapsed >= self.parts.turn_limit
            || (elapsed >= LAST_TURNS && must_end.is_some_and(|end| *end <= clock::monotonic()))
    }

    fn survive(&self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::error!("reading instances failed: {error}");
        }
    }

    /// The watchdog's thread: gives up shard threads that are stuck in a turn.
    fn watch(self: &Arc<Self>) {
        let mut seen: Vec<Option<(RunningTurn, Instant)>> = vec![None; self.shards.len()];
        while !self.stopping.load(Ordering::SeqCst) {
            std::thread::park_timeout(WATCH_EVERY);
            for (index, shard) in self.shards.iter().enumerate() {
                let running = {
                    let running = shard.running.lock().unwrap_or_else(PoisonError::into_inner);
                    running.get()
                };
                let Some(turn) = running else {
                    seen[index] = None;
                    continue;
                };
                let since = match seen[index] {
                    Some((same, since)) if same == turn => since,
                    _ => {
                        let since = clock::monotonic();
                        seen[index] = Some((turn, since));
                        since
                    }
                };
                if self.is_stuck(since) {
                    seen[index] = None;
                    self.replace(shard, turn);
                }
            }
        }
    }

    /// Leaves a stuck thread to itself and rebuilds its other instances from the store.
    fn replace(self: &Arc<Self>, entry: &ShardThread, turn: RunningTurn) {
        let generation = *entry
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mailbox = &self.parts.mailboxes[usize::from(entry.number)];
        let stuck = Input::Stuck {
            id: turn.id,
            run: turn.run,
        };
        let Some(next) = mailbox.give_up(generation, stuck) else {
            return;
        };
        tracing::error!(
            instance = %turn.id,
            "a turn runs since {} without waiting: its thread is given up, its instance stopped",
            turn.since
        );
        // The stuck thread never commits again; what it had submitted is read back below.
        let submitted = self.committer.give_up(entry.number, next);
        let mut shard = new_shard(&self.parts, &self.committer, entry.number, next);
        shard.continue_after(submitted);
        entry.untried.remove(turn.id);
        shard.take_over(entry.untried.clone());
        let recovered = recover(
            &self.parts,
            &self.committer,
            std::slice::from_mut(&mut shard),
            next,
        );
        match recovered {
            Ok(_) => {
                run_shard(self, shard, next);
                // The clients that waited were known to the stuck thread only.
                self.parts.replies.ask_again();
            }
            Err(error) => tracing::error!("rebuilding a shard failed: {error}"),
        }
    }
}
