//! A store that does what disks do: writes fail, are torn at a crash, and what was not synced is
//! lost.
//!
//! It keeps two images: what a reader sees, and what a crash leaves. They differ only after a
//! failed write. **Invariant:** a batch is never there in part.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use infinitic_core::{Entry, Instance, InstanceId, RunNo, Timestamp};
use infinitic_runtime::backend::{KeyValue, ReadRows, RowOp, StoreError, Table, Visit};

use super::image::Image;
use super::process::{Dice, Died, Shared, lock};
use super::profile::Profile;
use super::rng::Rng;

type Tables = BTreeMap<Table, BTreeMap<Bytes, Bytes>>;

/// Bytes of an instance id at the front of a history key; the row's number follows in four.
const ID: usize = 16;

/// The simulated store.
#[derive(Debug)]
pub(crate) struct SimStore(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    view: Tables,
    durable: Tables,
    /// What the durable history rows say.
    images: BTreeMap<InstanceId, Image>,
    last_batch: u64,
    /// The batch whose write failed last.
    unsynced: Option<Unsynced>,
    rng: Rng,
    write_faults: u64,
    read_faults: u64,
    /// Notes of turns, if this store can take some.
    notes: Option<Notes>,
    dice: Shared<Dice>,
    now: Timestamp,
    purged: BTreeMap<InstanceId, Purged>,
    violations: Vec<String>,
}

/// Which turn each shard is in: outlives the process, not the machine.
#[derive(Debug, Default)]
struct Notes {
    now: BTreeMap<u16, (InstanceId, RunNo)>,
    found: Vec<(InstanceId, RunNo)>,
}

#[derive(Debug)]
struct Unsynced {
    number: u64,
    ops: Vec<RowOp>,
    /// Whether it will be there after a crash.
    survives: bool,
}

/// An instance whose record was removed.
#[derive(Clone, Debug)]
pub(crate) struct Purged {
    /// What the record was.
    pub(crate) entries: Vec<Entry>,
    /// By the clock of the process that removed it.
    pub(crate) at: Timestamp,
}

impl SimStore {
    /// An empty store with the faults of a profile.
    pub(crate) fn new(mut rng: Rng, profile: &Profile, dice: &Shared<Dice>) -> Self {
        let notes = rng.chance(500).then(Notes::default);
        Self(Mutex::new(Inner {
            view: Tables::new(),
            durable: Tables::new(),
            images: BTreeMap::new(),
            last_batch: 0,
            unsynced: None,
            rng,
            write_faults: profile.write_faults,
            read_faults: profile.read_faults,
            notes,
            dice: Arc::clone(dice),
            now: Timestamp::default(),
            purged: BTreeMap::new(),
            violations: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process opens it, and finds the notes of the one before.
    pub(crate) fn open_again(&self) {
        if let Some(notes) = &mut self.lock().notes {
            notes.found = std::mem::take(&mut notes.now).into_values().collect();
        }
    }

    /// Nothing fails from here on.
    pub(crate) fn heal(&self) {
        let mut inner = self.lock();
        inner.write_faults = 0;
        inner.read_faults = 0;
    }

    /// Tells the process's time, which the purge is judged by.
    pub(crate) fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// The process dies in the middle of this write: all of it is there afterwards, or nothing.
    pub(crate) fn tear(&self, number: u64, ops: &[RowOp]) {
        let mut inner = self.lock();
        let survives = inner.rng.chance(500);
        inner.unsynced = Some(Unsynced {
            number,
            ops: ops.to_vec(),
            survives,
        });
    }

    /// The process has died: what was not synced is there or not, and readers see what is left.
    pub(crate) fn crash(&self) {
        let mut inner = self.lock();
        if let Some(Unsynced {
            number,
            ops,
            survives: true,
        }) = inner.unsynced.take()
        {
            inner.keep(number, &ops);
        }
        inner.view = inner.durable.clone();
    }

    /// The durable rows of a table.
    pub(crate) fn rows(&self, table: Table) -> Vec<(Bytes, Bytes)> {
        let inner = self.lock();
        let rows = inner.durable.get(&table).into_iter().flatten();
        rows.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Looks at what the durable rows say about an instance.
    pub(crate) fn image<T>(&self, id: InstanceId, look: impl FnOnce(&Image) -> T) -> Option<T> {
        self.lock().images.get(&id).map(look)
    }

    /// The durable state of an instance.
    pub(crate) fn instance(&self, id: InstanceId) -> Option<Instance> {
        self.image(id, |image| image.instance.clone()).flatten()
    }

    /// The instances that have not ended.
    pub(crate) fn open(&self) -> Vec<InstanceId> {
        let inner = self.lock();
        let images = inner.images.iter();
        images
            .filter(|(_, image)| image.is_open())
            .map(|(id, _)| *id)
            .collect()
    }

    /// **Invariant:** recovery finds every open instance: it stands in `Open`, or has an id from
    /// the lowest watermark on. Answers those that it would not find.
    pub(crate) fn unfindable(&self) -> Vec<InstanceId> {
        let open = self.open();
        let inner = self.lock();
        let watermarks = inner.durable.get(&Table::Meta).into_iter().flatten();
        let lowest = watermarks
            .filter(|(key, _)| key.starts_with(b"watermark/"))
            .map(|(_, id)| &id[..])
            .min()
            .unwrap_or_default();
        let listed = inner.durable.get(&Table::Open);
        let is_listed =
            |id: &InstanceId| listed.is_some_and(|listed| listed.contains_key(&id.as_bytes()[..]));
        open.into_iter()
            .filter(|id| id.as_bytes()[..] < *lowest && !is_listed(id))
            .collect()
    }

    /// Records that were removed.
    pub(crate) fn purged(&self) -> BTreeMap<InstanceId, Purged> {
        self.lock().purged.clone()
    }

    /// What was done with the store that must not be done.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().violations)
    }
}

fn apply(tables: &mut Tables, ops: &[RowOp]) {
    for op in ops {
        let table = tables.entry(op.table).or_default();
        match &op.value {
            Some(value) => table.insert(op.key.clone(), value.clone()),
            None => table.remove(&op.key),
        };
    }
}

impl Inner {
    /// Makes a batch durable.
    fn keep(&mut self, number: u64, ops: &[RowOp]) {
        self.watch_history(ops);
        apply(&mut self.durable, ops);
        self.last_batch = number;
    }

    /// History is appended, never rewritten; and removed as a whole.
    fn watch_history(&mut self, ops: &[RowOp]) {
        let empty = BTreeMap::new();
        for op in ops.iter().filter(|op| op.table == Table::History) {
            let rows = self.durable.get(&Table::History).unwrap_or(&empty);
            let (id, row) = op.key.split_at(ID);
            let id = InstanceId::from_bytes(id.try_into().expect("sixteen bytes"));
            match &op.value {
                Some(value) if rows.get(&op.key).is_some_and(|old| old != value) => {
                    self.violations
                        .push(format!("history row {:02x?} was rewritten", op.key));
                }
                Some(_) if rows.contains_key(&op.key) => {}
                Some(value) => self.images.entry(id).or_default().add_row(id, value),
                None if row == [0; 4] => {
                    if let Some(image) = self.images.remove(&id) {
                        let (entries, at) = (image.entries, self.now);
                        self.purged.insert(id, Purged { entries, at });
                    }
                }
                None => {}
            }
        }
    }

    fn expect_number(&mut self, number: u64, ops: &[RowOp]) {
        let expected = self.last_batch + 1;
        let violation = match &self.unsynced {
            _ if number != expected => format!("batch {number} was written instead of {expected}"),
            Some(before) if before.number == number && before.ops != ops => {
                format!("batch {number} changed between two writes")
            }
            Some(_) | None => return,
        };
        self.violations.push(violation);
    }

    fn read_fault(&mut self) -> Result<(), StoreError> {
        let faults = self.read_faults;
        if faults > 0 && self.rng.chance(faults) {
            // Whoever pauses before it reads again goes on at once: pauses are of real time.
            std::thread::current().unpark();
            return Err(StoreError::Io("a simulated fault of the disk".to_owned()));
        }
        Ok(())
    }
}

impl ReadRows for SimStore {
    fn note_turn(&self, shard: u16, turn: Option<(InstanceId, RunNo)>) -> bool {
        let (is_noted, dice) = {
            let mut inner = self.lock();
            let Some(notes) = &mut inner.notes else {
                return false;
            };
            match turn {
                Some(turn) => notes.now.insert(shard, turn),
                None => notes.now.remove(&shard),
            };
            (turn.is_some(), Arc::clone(&inner.dice))
        };
        // Nothing else may kill the process in the very turn that it has noted.
        if is_noted && lock(&dice).strikes("in a turn") {
            std::panic::resume_unwind(Box::new(Died));
        }
        true
    }

    fn noted_turns(&self) -> Vec<(InstanceId, RunNo)> {
        let inner = self.lock();
        inner
            .notes
            .as_ref()
            .map_or_else(Vec::new, |notes| notes.found.clone())
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut inner = self.lock();
        inner.read_fault()?;
        let rows = inner.view.get(&table);
        Ok(rows.and_then(|rows| rows.get(key).cloned()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        // Copied out, so that the visitor may use the store.
        let rows: Vec<(Bytes, Bytes)> = {
            let mut inner = self.lock();
            inner.read_fault()?;
            let Some(rows) = inner.view.get(&table) else {
                return Ok(());
            };
            let from = Bound::Included(Bytes::copy_from_slice(from));
            let to = to.map_or(Bound::Unbounded, |to| {
                Bound::Excluded(Bytes::copy_from_slice(to))
            });
            rows.range((from, to))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        for (key, value) in &rows {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl KeyValue for SimStore {
    fn write(&self, number: u64, batch: &[RowOp]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.expect_number(number, batch);
        let faults = inner.write_faults;
        if faults > 0 && inner.rng.chance(faults) {
            let (visible, survives) = (inner.rng.chance(500), inner.rng.chance(500));
            if visible {
                apply(&mut inner.view, batch);
            }
            inner.unsynced = Some(Unsynced {
                number,
                ops: batch.to_vec(),
                survives,
            });
            return Err(StoreError::Io("a simulated full disk".to_owned()));
        }
        inner.unsynced = None;
        inner.keep(number, batch);
        apply(&mut inner.view, batch);
        Ok(())
    }

    fn last_batch(&self) -> u64 {
        self.lock().last_batch
    }
}
