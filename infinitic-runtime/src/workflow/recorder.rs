//! The recorder of one run: what its code asks, in order, and what it waits for.
//!
//! While recorded commands are left, the code is being replayed and each of its commands must match
//! the next recorded one; after that its commands are new. Closing comes first at eviction and
//! shutdown, so that destructors record nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use infinitic_core::names::WorkflowName;
use infinitic_core::{
    Command, CommandId, FailureKind, FailureRecord, InstanceId, Outcome, Payload, Position,
    Reopening, RunNo, Timestamp,
};

use super::step::StepJob;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Recorder>>> = const { RefCell::new(None) };
}

/// What workflow code may ask about its instance.
#[derive(Debug, Clone)]
pub(crate) struct RunInfo {
    pub(crate) instance: InstanceId,
    pub(crate) workflow: WorkflowName,
    pub(crate) version: u32,
    pub(crate) tags: Vec<String>,
    pub(crate) meta: Vec<(String, String)>,
    pub(crate) run: RunNo,
}

/// Records one run. Futures of workflow code share it; only turns of this run may use it.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) info: RunInfo,
    inner: Mutex<Inner>,
    root: Arc<RootWaker>,
}

#[derive(Debug)]
struct Inner {
    closed: bool,
    now: Timestamp,
    reopening: Reopening,
    /// Commands that replay has not come to yet.
    recorded: VecDeque<(Reopening, Command)>,
    /// Position of the next command.
    next: u32,
    /// Commands asked since the last turn that no history holds yet.
    new: Vec<Command>,
    /// Open waits by position.
    waits: BTreeMap<Position, Arc<WaitCell>>,
    /// What open steps run.
    steps: BTreeMap<Position, StepJob>,
    /// How many random numbers were drawn.
    draws: u64,
    divergence: Option<Box<FailureRecord>>,
}

/// One wait: its outcome, and who is to be woken by it.
#[derive(Debug, Default)]
pub(crate) struct WaitCell(Mutex<Wait>);

#[derive(Debug, Default)]
struct Wait {
    outcome: Option<Outcome>,
    wakers: Vec<Waker>,
}

/// The payload of the unwinding by which code that no longer matches its history leaves a turn.
#[derive(Debug)]
pub(crate) struct StopTurn;

/// Wakes the run's future. Something that wakes it outside its turns is foreign to the history.
pub(crate) struct RootWaker {
    woken: AtomicBool,
    foreign: AtomicBool,
    on_foreign: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for RootWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootWaker")
            .field("woken", &self.woken)
            .finish_non_exhaustive()
    }
}

impl RootWaker {
    pub(crate) fn new(on_foreign: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(false),
            foreign: AtomicBool::new(false),
            on_foreign,
        })
    }

    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::Relaxed)
    }

    fn is_in_turn(&self) -> bool {
        CURRENT.with_borrow(|current| {
            current
                .as_ref()
                .is_some_and(|recorder| std::ptr::eq(&*recorder.root, self))
        })
    }
}

impl Wake for RootWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_in_turn() {
            self.woken.store(true, Ordering::Relaxed);
        } else if !self.foreign.swap(true, Ordering::Relaxed) {
            (self.on_foreign)();
        }
    }
}

/// Makes a recorder the current one of this thread until it is dropped.
pub(crate) struct InTurn {
    before: Option<Arc<Recorder>>,
}

impl Drop for InTurn {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

impl Recorder {
    pub(crate) fn new(
        info: RunInfo,
        root: Arc<RootWaker>,
        reopening: Reopening,
        recorded: Vec<(Reopening, Command)>,
        now: Timestamp,
    ) -> Arc<Self> {
        let inner = Inner {
            closed: false,
            now,
            reopening,
            recorded: recorded.into(),
            next: 0,
            new: Vec::new(),
            waits: BTreeMap::new(),
            steps: BTreeMap::new(),
            draws: 0,
            divergence: None,
        };
        Arc::new(Self {
            info,
            inner: Mutex::new(inner),
            root,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The lock is never held while user code runs, so a panic cannot leave it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorder of the turn that runs on this thread.
    ///
    /// # Panics
    /// Outside workflow code, with a text that says what may be called where.
    #[track_caller]
    pub(crate) fn current(what: &str) -> Arc<Self> {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| {
            panic!(
                "{what} works inside workflow code only (an `async fn` under `#[workflow]`, not a \
                 spawned task or another thread); outside, use a client"
            )
        })
    }

    pub(crate) fn is_any_current() -> bool {
        CURRENT.with_borrow(Option::is_some)
    }

    pub(crate) fn enter(self: &Arc<Self>) -> InTurn {
        InTurn {
            before: CURRENT.replace(Some(Arc::clone(self))),
        }
    }

    fn is_current(&self) -> bool {
        self.root.is_in_turn()
    }

    /// Records a command and answers its id.
    ///
    /// Leaves the turn by unwinding when the code does not match its history.
    #[track_caller]
    pub(crate) fn record(&self, command: Command, wait: Option<Arc<WaitCell>>) -> CommandId {
        self.record_at(command, wait, Location::caller())
    }

    /// The same, for code that knows the place better than its caller does.
    pub(crate) fn record_at(
        &self,
        command: Command,
        wait: Option<Arc<WaitCell>>,
        location: &Location<'_>,
    ) -> CommandId {
        self.assert_in_turn();
        let mut inner = self.lock();
        let position = Position(inner.next);
        let reopening = match inner.recorded.pop_front() {
            None => {
                inner.new.push(command);
                inner.reopening
            }
            Some((reopening, recorded)) if command.matches(&recorded) => reopening,
            Some((_, recorded)) => {
                let asked = format!("a {}", command.describe());
                inner.diverge(
                    position,
                    &format!("a {}", recorded.describe()),
                    &asked,
                    location,
                );
                drop(inner);
                stop_turn();
            }
        };
        inner.next += 1;
        if let Some(wait) = wait {
            inner.waits.insert(position, wait);
        }
        CommandId {
            instance: self.info.instance,
            run: self.info.run,
            reopening,
            position,
        }
    }

    /// Records a value that the code computes once: on replay the recorded one is taken.
    #[track_caller]
    pub(crate) fn inline(&self, compute: impl FnOnce() -> Payload) -> Payload {
        self.assert_in_turn();
        let location = Location::caller();
        let mut inner = self.lock();
        let position = Position(inner.next);
        match inner.recorded.pop_front() {
            Some((_, Command::Inline { value })) => {
                inner.next += 1;
                return value;
            }
            Some((_, recorded)) => {
                let has = format!("a {}", recorded.describe());
                inner.diverge(position, &has, "an inline value", location);
                drop(inner);
                stop_turn();
            }
            None => {}
        }
        drop(inner);
        let value = compute();
        let mut inner = self.lock();
        if Position(inner.next) != position {
            inner.diverge(
                position,
                "no command",
                "a command inside `inline(..)`, where only a value may be computed",
                location,
            );
            drop(inner);
            stop_turn();
        }
        inner.new.push(Command::Inline {
            value: value.clone(),
        });
        inner.next += 1;
        value
    }

    /// Takes back a command whose outcome nobody wants any more, and answers whether it did. Does
    /// nothing when the recorder is closed, outside a turn, or while a panic unwinds the code.
    pub(crate) fn cancel(&self, position: Position) -> bool {
        if std::thread::panicking() || !self.is_current() {
            return false;
        }
        {
            let mut inner = self.lock();
            if inner.closed || inner.waits.remove(&position).is_none() {
                return false;
            }
            inner.steps.remove(&position);
        }
        self.record(Command::Cancel { position }, None);
        true
    }

    pub(crate) fn keep_step(&self, position: Position, job: StepJob) {
        self.lock().steps.insert(position, job);
    }

    pub(crate) fn step(&self, position: Position) -> Option<StepJob> {
        self.lock().steps.get(&position).cloned()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Sixty-four bits that look random and are the same on every replay.
    pub(crate) fn draw(&self) -> u64 {
        self.assert_in_turn();
        let mut inner = self.lock();
        inner.draws += 1;
        let run = u64::from(self.info.run.0);
        self.info
            .instance
            .mixed(inner.draws.wrapping_add(run << 40))
    }

    /// Begins a turn: its time, and the outcome it brings. Answers whether anybody waits for it.
    pub(crate) fn deliver(&self, position: Position, outcome: Outcome, at: Timestamp) {
        let cell = {
            let mut inner = self.lock();
            inner.now = at;
            inner.steps.remove(&position);
            inner.waits.remove(&position)
        };
        if let Some(cell) = cell {
            cell.complete(outcome);
        }
    }

    pub(crate) fn take_new(&self) -> Vec<Command> {
        std::mem::take(&mut self.lock().new)
    }

    pub(crate) fn commands_asked(&self) -> u32 {
        self.lock().next
    }

    pub(crate) fn has_open_waits(&self) -> bool {
        !self.lock().waits.is_empty()
    }

    pub(crate) fn has_open_steps(&self) -> bool {
        !self.lock().steps.is_empty()
    }

    /// The first recorded command that the code has not asked for again.
    pub(crate) fn left_over(&self) -> Option<(Position, Command)> {
        let inner = self.lock();
        let (_, command) = inner.recorded.front()?;
        Some((Position(inner.next), command.clone()))
    }

    pub(crate) fn take_divergence(&self) -> Option<Box<FailureRecord>> {
        self.lock().divergence.take()
    }

    /// Destructors record nothing from here on.
    pub(crate) fn close(&self) {
        let (waits, steps) = {
            let mut inner = self.lock();
            inner.closed = true;
            (
                std::mem::take(&mut inner.waits),
                std::mem::take(&mut inner.steps),
            )
        };
        // Dropped outside the lock: what steps hold is the user's, and may use the recorder.
        drop((waits, steps));
    }

    #[track_caller]
    fn assert_in_turn(&self) {
        assert!(
            self.is_current(),
            "workflow code was polled outside its turn: do not move calls, timers or deferreds to \
             spawned tasks or other threads"
        );
    }
}

impl Inner {
    fn diverge(&mut self, position: Position, has: &str, asks: &str, location: &Location<'_>) {
        self.divergence = Some(divergence(position, has, &format!("{asks} at {location}")));
    }
}

/// The explanation of code that no longer matches its history: both sides.
pub(crate) fn divergence(position: Position, has: &str, asks: &str) -> Box<FailureRecord> {
    Box::new(FailureRecord::new(
        FailureKind::Stopped,
        format!(
            "the workflow's code no longer matches its history: at command {position} the history \
             has {has}, the code has {asks}; deploy code that asks for the same commands in the \
             same order, and the instance goes on by itself, or with retry_turn"
        ),
    ))
}

fn stop_turn() -> ! {
    std::panic::resume_unwind(Box::new(StopTurn))
}

impl WaitCell {
    fn lock(&self) -> MutexGuard<'_, Wait> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn complete(&self, outcome: Outcome) {
        let wakers = {
            let mut wait = self.lock();
            wait.outcome = Some(outcome);
            std::mem::take(&mut wait.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// The outcome; without one, `waker` is woken when it comes.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Outcome> {
        let mut wait = self.lock();
        if wait.outcome.is_none() && !wait.wakers.iter().any(|known| known.will_wake(waker)) {
            wait.wakers.push(waker.clone());
        }
        wait.outcome.clone()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.lock().outcome.clone()
    }
}
