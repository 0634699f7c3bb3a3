//! Reading instances back: state and history from rows.

use std::ops::ControlFlow;
use std::time::Duration;

use infinitic_core::codec::{self, DecodeError, RowHeader};
use infinitic_core::{Entry, History, Instance, InstanceId};

use super::layout;
use crate::backend::{CommitId, ReadRows, StoreError, Table};

/// An instance as its rows tell it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) instance: Box<Instance>,
    pub(crate) history: History,
    /// How many rows it has.
    pub(crate) rows: u32,
    /// The commit that wrote the last of them.
    pub(crate) last: CommitId,
}

/// Folds rows into state and history.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    instance: Option<Box<Instance>>,
    history: History,
    rows: u32,
    last: CommitId,
}

impl Fold {
    pub(crate) fn add(&mut self, id: InstanceId, header: RowHeader, entries: Vec<Entry>) {
        self.last = CommitId(header.commit);
        for entry in entries {
            match &mut self.instance {
                Some(instance) => instance.evolve(&entry),
                None => self.instance = Instance::begin(id, &entry).map(Box::new),
            }
            self.history.add(entry);
        }
        self.rows += 1;
    }

    pub(crate) fn finish(self) -> Option<Loaded> {
        let Self {
            instance,
            history,
            rows,
            last,
        } = self;
        instance.map(|instance| Loaded {
            instance,
            history,
            rows,
            last,
        })
    }
}

/// Decodes a row, naming it when it is damaged.
pub(crate) fn decode(
    id: InstanceId,
    row: u32,
    bytes: &[u8],
) -> Result<(RowHeader, Vec<Entry>), StoreError> {
    codec::decode_row(bytes).map_err(|error| match error {
        DecodeError::NewerVersion { .. } => {
            StoreError::NewerFormat(format!("row {row} of instance {id}: {error}"))
        }
        _ => StoreError::Damaged(format!("row {row} of instance {id}: {error}")),
    })
}

/// Pause between attempts to read a store that fails.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads one instance; nothing when there are no rows of it.
pub(crate) fn load(store: &dyn ReadRows, id: InstanceId) -> Result<Option<Loaded>, StoreError> {
    Ok(patiently(|| fold_rows(store, id, u32::MAX))?.finish())
}

/// The history in the first `rows` rows of an instance. Later ones, which the caller holds itself,
/// may have reached the store meanwhile.
pub(crate) fn read_rows(
    store: &dyn ReadRows,
    id: InstanceId,
    rows: u32,
) -> Result<History, StoreError> {
    let fold = patiently(|| fold_rows(store, id, rows))?;
    if fold.rows == rows {
        return Ok(fold.history);
    }
    Err(missing(id, fold.rows))
}

/// Trouble of the disk passes, and changes no instance: the read is repeated until it does.
fn patiently<T>(mut read: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    loop {
        match read() {
            Err(StoreError::Io(why)) => {
                tracing::error!("the store cannot be read, trying again: {why}");
                std::thread::park_timeout(PAUSE);
            }
            result => return result,
        }
    }
}

fn missing(id: InstanceId, row: u32) -> StoreError {
    StoreError::Damaged(format!(
        "row {row} of instance {id} is missing; restore the directory from a backup"
    ))
}

/// Rows that are looked up one by one: most instances have fewer, and a look for a row that is
/// there, or is not, costs a fraction of an iterator over every table of the store.
const LOOKED_UP: u32 = 8;

fn fold_rows(store: &dyn ReadRows, id: InstanceId, rows: u32) -> Result<Fold, StoreError> {
    let mut fold = Fold::default();
    while fold.rows < rows.min(LOOKED_UP) {
        let row = fold.rows;
        let look = |row| store.get(Table::History, &layout::history_key(id, row));
        let Some(value) = look(row)? else {
            return match look(row + 1)? {
                None => Ok(fold),
                Some(_) => Err(missing(id, row)),
            };
        };
        let (header, entries) = decode(id, row, &value)?;
        fold.add(id, header, entries);
    }
    if fold.rows < rows {
        fold_rest(store, id, rows, &mut fold)?;
    }
    Ok(fold)
}

/// Reads on where the fold stands, with an iterator.
fn fold_rest(
    store: &dyn ReadRows,
    id: InstanceId,
    rows: u32,
    fold: &mut Fold,
) -> Result<(), StoreError> {
    let mut failed = None;
    let from = layout::history_key(id, fold.rows);
    let mut visit = |key: &[u8], value: &[u8]| {
        let row = layout::parse_history_key(key).map_or(0, |(_, row)| row);
        if row >= rows {
            return ControlFlow::Break(());
        }
        let result = if row == fold.rows {
            decode(id, row, value)
        } else {
            Err(missing(id, fold.rows))
        };
        match result {
            Ok((header, entries)) => {
                fold.add(id, header, entries);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let to = layout::history_end(id);
    store.scan(Table::History, &from, Some(&to), &mut visit)?;
    failed.map_or(Ok(()), Err)
}
