//! The store that the loops see: numbered batches over a database that may have to be reopened.
//!
//! The database refuses everything after an error of the disk. So an error here closes it, removes
//! what the failed batch may have left, and opens it again; the caller repeats the batch until it
//! is taken. Reads wait meanwhile.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use infinitic_core::{InstanceId, RunNo};

use super::engine::{Engine, EngineError};
use super::error::OpenError;
use super::lock::DirLock;
use super::mark::{Mark, MarkFile};
use super::open::{self, Opened, Time};
use super::turns::TurnFile;
use super::verify;
use crate::backend::{KeyValue, ReadRows, RowOp, StoreCounters, StoreError, Table, Visit};

/// Rows in a directory of this machine's disk.
///
/// A batch is durable when [`KeyValue::write`] returns. Keys have 1 to 65,535 bytes; values may
/// have hundreds of megabytes. Batches are written by one caller at a time; reads go on beside
/// them.
#[derive(Debug)]
pub struct EmbeddedStore {
    dir: PathBuf,
    unclean_exits: u32,
    // None when the file cannot be had: then turns are marked in rows, as slow as that is.
    turns: Option<TurnFile>,
    // Locked before `state`, never after. None once closed.
    held: Mutex<Option<Held>>,
    state: RwLock<State>,
    last_batch: AtomicU64,
    damage: OnceLock<StoreError>,
    syncs: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug)]
enum State {
    Open(Engine),
    /// Between a failure and the next attempt to open again, with what was said.
    Failed(StoreError),
    Closed,
}

/// What the one who writes holds: fields are released in this order.
#[derive(Debug)]
struct Held {
    mark: MarkFile,
    _lock: DirLock,
}

impl EmbeddedStore {
    /// Opens the store in `dir`; creates the directory (not its parents) and the store when they
    /// are not there. All that was ever confirmed is there afterwards, or this fails.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the directory, what is accepted, and what to do.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let Opened {
            lock,
            mark,
            engine,
            last_batch,
            unclean_exits,
        } = open::open(dir)?;
        let turns = TurnFile::open(dir)
            .inspect_err(|error| tracing::warn!("the notes of turns cannot be kept: {error}"))
            .ok();
        Ok(Self {
            dir: dir.to_path_buf(),
            unclean_exits,
            turns,
            held: Mutex::new(Some(Held { mark, _lock: lock })),
            state: RwLock::new(State::Open(engine)),
            last_batch: AtomicU64::new(last_batch),
            damage: OnceLock::new(),
            syncs: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// How many times in a row the store had been opened and not closed, right before this opening:
    /// 0 after a clean exit, 1 after one crash.
    #[must_use]
    pub fn unclean_exits(&self) -> u32 {
        self.unclean_exits
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        // Nothing in it is ever half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_engine<T>(
        &self,
        run: impl FnOnce(&Engine) -> Result<T, EngineError>,
    ) -> Result<T, StoreError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(engine) => run(engine).map_err(|error| self.explain(error)),
            State::Failed(why) => Err(why.clone()),
            State::Closed => Err(StoreError::Io(format!("{} is closed", self.dir.display()))),
        }
    }

    fn explain(&self, error: EngineError) -> StoreError {
        let dir = self.dir.display();
        match error {
            EngineError::Io(text) | EngineError::Background(text) => StoreError::Io(format!(
                "the disk failed under {dir} ({text}); nothing confirmed is lost, and the store \
                 goes on when the disk works again; make room on it or repair it"
            )),
            // Which file it is, is searched for once: it means reading all of them.
            EngineError::Damaged(text) => self
                .damage
                .get_or_init(|| match verify::damaged_table(&self.dir.join(open::ROWS)) {
                    Some(found) => found.into(),
                    None => StoreError::Damaged(format!(
                        "the rows in {dir} are damaged ({text}); what can be read is as it was \
                         written; check the disk and restore the directory from a backup"
                    )),
                })
                .clone(),
        }
    }

    /// Closes what is left of the database and opens it again, without anything after `last`.
    fn reopen(&self, last: u64, tables: bool) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let pending = StoreError::Io(format!("{} is being reopened", self.dir.display()));
        match std::mem::replace(&mut *state, State::Failed(pending)) {
            State::Closed => {
                *state = State::Closed;
                return Err(StoreError::Io(format!("{} is closed", self.dir.display())));
            }
            State::Open(engine) => {
                if let Err(error) = engine.close() {
                    tracing::debug!(%error, "closing the database that failed");
                }
            }
            State::Failed(_) => {}
        }
        match open::open_rows(&self.dir, last, Time::Again { tables }) {
            Ok((engine, _)) => {
                *state = State::Open(engine);
                Ok(())
            }
            Err(error) => {
                let error = StoreError::from(error);
                *state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn needs_reopening(&self) -> bool {
        matches!(
            *self.state.read().unwrap_or_else(PoisonError::into_inner),
            State::Failed(_)
        )
    }

    fn count(&self, batch: &[RowOp], syncs: u64) {
        let size = |op: &RowOp| (op.key.len() + op.value.as_ref().map_or(0, Bytes::len)) as u64;
        self.syncs.fetch_add(syncs, Ordering::Relaxed);
        self.rows.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.bytes
            .fetch_add(batch.iter().map(size).sum(), Ordering::Relaxed);
    }
}

impl ReadRows for EmbeddedStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.with_engine(|engine| engine.get(table, key))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        // In pages, so that the visitor may use the store and a reopening need not wait for it.
        let mut from = from.to_vec();
        while to.is_none_or(|to| from.as_slice() < to) {
            let (page, more) = self.with_engine(|engine| engine.page(table, &from, to))?;
            for (key, value) in &page {
                if let ControlFlow::Break(()) = visit(key, value) {
                    return Ok(());
                }
            }
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            if !more {
                return Ok(());
            }
            // The least key after the last one.
            from = [last.as_ref(), &[0]].concat();
        }
        Ok(())
    }

    fn note_turn(&self, shard: u16, turn: Option<(InstanceId, RunNo)>) -> bool {
        let turns = self.turns.as_ref();
        turns.is_some_and(|turns| turns.note(shard, turn).is_ok())
    }

    fn noted_turns(&self) -> Vec<(InstanceId, RunNo)> {
        self.turns
            .as_ref()
            .map_or_else(Vec::new, |turns| turns.found().to_vec())
    }
}

impl KeyValue for EmbeddedStore {
    /// # Panics
    /// On a key of 0 or more than 65,535 bytes and on a number that is not the next one (or the
    /// last, which was written already): both are mistakes of the caller that no retry can mend.
    fn write(&self, number: u64, batch: &[RowOp]) -> Result<(), StoreError> {
        let keys_fit = batch
            .iter()
            .all(|op| (1..=usize::from(u16::MAX)).contains(&op.key.len()));
        assert!(keys_fit, "Invariant: keys have 1 to 65,535 bytes");
        let mut held = self.held();
        let last = self.last_batch.load(Ordering::Acquire);
        if number == last && number > 0 {
            return Ok(());
        }
        assert_eq!(
            number,
            last + 1,
            "Invariant: batches are numbered without a gap"
        );
        if self.needs_reopening() {
            self.reopen(last, false)?;
        }
        self.with_engine(|engine| Ok(engine.commit(number, batch)))?
            .or_else(|error| {
                tracing::warn!(%error, number, "a batch was not taken; reopening the store");
                self.reopen(last, !matches!(error, EngineError::Io(_)))?;
                Err(self.explain(error))
            })?;
        self.last_batch.store(number, Ordering::Release);
        let syncs = 1 + held.as_mut().map_or(0, |held| held.mark.advance(number));
        drop(held);
        self.count(batch, syncs);
        Ok(())
    }

    fn last_batch(&self) -> u64 {
        self.last_batch.load(Ordering::Acquire)
    }

    fn counters(&self) -> StoreCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreCounters {
            syncs: read(&self.syncs),
            rows: read(&self.rows),
            bytes: read(&self.bytes),
        }
    }

    fn close(&self) {
        let Some(mut held) = self.held().take() else {
            return;
        };
        // Before the lock is let go: the next process writes notes of its own.
        if let Some(turns) = &self.turns {
            turns.close();
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let clean = match std::mem::replace(&mut *state, State::Closed) {
            State::Open(engine) => engine.close().is_ok(),
            State::Failed(_) | State::Closed => false,
        };
        drop(state);
        if clean {
            let batch = self.last_batch.load(Ordering::Acquire);
            if let Err(error) = held.mark.set(Mark {
                batch,
                unclean: 0,
                closed: true,
            }) {
                tracing::warn!(%error, "the store counts this exit as an unclean one");
            }
        }
    }
}
