//! Turns that never end: the engine's thread that is stuck in one is given up, the instance is
//! stopped, and a new thread reads the worker's partitions anew.
//!
//! The old thread cannot be ended; it keeps a core until its turn ends or the process does. Nothing
//! that it still does counts: its partitions are claimed again, which makes its claims void.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use infinitic_core::InstanceId;

use super::engine::{Engine, EngineParts, Readers};
use crate::clock::monotonic;
use crate::worker::{Running, RunningTurn, WorkerError, given_up};

/// How often the watchdog looks.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// How long a turn may take while the worker ends: turns take microseconds.
pub(crate) const LAST_TURN: Duration = Duration::from_millis(500);
/// How often an ending worker looks whether its thread has ended.
const JOIN_EVERY: Duration = Duration::from_micros(500);
/// How long a bar stays that keeps nothing from running: longer than the broker takes to bring
/// again what it had brought.
const BARRED_FOR: Duration = Duration::from_mins(1);
/// Stack of the engine's thread: workflow code runs on it, and deserves as much as a main thread
/// has.
const STACK_BYTES: usize = 8 << 20;

/// Instances that got a thread of this worker stuck.
#[derive(Debug, Default)]
pub(crate) struct Culprits(Mutex<BTreeMap<InstanceId, Culprit>>);

#[derive(Debug)]
struct Culprit {
    why: String,
    /// Since when none of its turns runs; none when one may again.
    barred: Option<Instant>,
}

impl Culprits {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Culprit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blame(&self, id: InstanceId, why: String) {
        let barred = Some(monotonic());
        self.lock().insert(id, Culprit { why, barred });
    }

    /// Instances of which no turn is to run now, and why.
    pub(crate) fn barred(&self) -> Vec<(InstanceId, String)> {
        let is_barred = |culprit: &Culprit| {
            culprit
                .barred
                .is_some_and(|since| since.elapsed() < BARRED_FOR)
        };
        self.lock()
            .iter()
            .filter(|(_, culprit)| is_barred(culprit))
            .map(|(id, culprit)| (*id, culprit.why.clone()))
            .collect()
    }

    /// A turn was kept from running: the next one is somebody's wish.
    pub(crate) fn forgive(&self, id: InstanceId) {
        if let Some(culprit) = self.lock().get_mut(&id) {
            culprit.barred = None;
        }
    }

    /// Whether an instance got a thread stuck since this process began.
    pub(crate) fn has(&self, id: InstanceId) -> bool {
        self.lock().contains_key(&id)
    }
}

/// The engine's thread, and those that follow it.
pub(crate) struct Engines {
    parts: EngineParts,
    limit: Duration,
    current: Mutex<Current>,
}

struct Current {
    generation: u64,
    running: Arc<Running>,
    readers: Arc<Readers>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").finish_non_exhaustive()
    }
}

impl Engines {
    /// Starts the first thread. No turn may take longer than `limit`.
    pub(crate) fn start(parts: EngineParts, limit: Duration) -> Result<Arc<Self>, WorkerError> {
        let first = begin(parts.clone(), 0)?;
        Ok(Arc::new(Self {
            parts,
            limit,
            current: Mutex::new(first),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the thread has ended, which it does by itself only when it panics.
    pub(crate) fn is_finished(&self) -> bool {
        self.lock().thread.is_finished()
    }

    /// The turn that the thread is in.
    pub(crate) fn turn(&self) -> Option<RunningTurn> {
        self.lock().running.get()
    }

    /// Gives up threads that are stuck in a turn, until the task is aborted.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut seen: Option<(RunningTurn, Instant)> = None;
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let Some(turn) = self.turn() else {
                seen = None;
                continue;
            };
            let since = match seen {
                Some((same, since)) if same == turn => since,
                _ => monotonic(),
            };
            seen = Some((turn, since));
            if since.elapsed() >= self.limit {
                seen = None;
                self.replace(turn);
            }
        }
    }

    fn replace(&self, turn: RunningTurn) {
        let mut current = self.lock();
        let Some(next) = self.parts.inbox.give_up(current.generation) else {
            return;
        };
        tracing::error!(
            instance = %turn.id,
            "a turn runs since {} without waiting: its thread is given up, its instance stopped",
            turn.since
        );
        self.parts.culprits.blame(turn.id, too_long(self.limit));
        let readers = Arc::clone(&current.readers);
        for reader in &*readers.lock().unwrap_or_else(PoisonError::into_inner) {
            reader.abort();
        }
        match begin(self.parts.clone(), next) {
            Ok(begun) => *current = begun,
            Err(error) => return tracing::error!("{error}"),
        }
        // They are claimed again, and read anew, with the next beat.
        let mut held = self
            .parts
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.clear();
    }

    /// Waits for the end of the thread, once its inbox is closed; not for a turn that never ends.
    pub(crate) fn join(&self) {
        let begun = monotonic();
        loop {
            let current = self.lock();
            if current.thread.is_finished() {
                return;
            }
            if begun.elapsed() >= LAST_TURN
                && let Some(turn) = current.running.get()
            {
                return tracing::error!(
                    instance = %turn.id,
                    "a turn runs since {} without waiting: it is left to whoever owns its \
                     instance next",
                    turn.since
                );
            }
            drop(current);
            std::thread::park_timeout(JOIN_EVERY);
        }
    }
}

fn begin(parts: EngineParts, generation: u64) -> Result<Current, WorkerError> {
    let (running, readers) = (Arc::<Running>::default(), Arc::<Readers>::default());
    let engine = Engine::new(
        parts,
        generation,
        Arc::clone(&running),
        Arc::clone(&readers),
    );
    Ok(Current {
        generation,
        running,
        readers,
        thread: spawn(move || engine.run())?,
    })
}

/// A thread on which workflow code may run.
pub(crate) fn spawn(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, WorkerError> {
    std::thread::Builder::new()
        .name("infinitic-engine".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|error| WorkerError::System {
            what: "starting the engine's thread",
            reason: error.to_string(),
        })
}

/// What is told of an instance whose turn was given up.
pub(crate) fn too_long(limit: Duration) -> String {
    given_up(&format!("ran longer than {limit:?}"))
}
