//! Rows in memory: for tests, and for programs that need no durability.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{KeyValue, ReadRows, RowOp, StoreCounters, StoreError, Table, Visit};

/// A store that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tables: BTreeMap<Table, BTreeMap<Bytes, Bytes>>,
    last_batch: u64,
    counters: StoreCounters,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held cannot leave a half-written batch that matters: the
        // process that panicked there is the only reader.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadRows for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self
            .lock()
            .tables
            .get(&table)
            .and_then(|rows| rows.get(key).cloned()))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        // Rows are copied out in pages so that the visitor may use the store.
        const PAGE: usize = 1000;
        let mut start = Bound::Included(Bytes::copy_from_slice(from));
        let end = to.map_or(Bound::Unbounded, |to| {
            Bound::Excluded(Bytes::copy_from_slice(to))
        });
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        loop {
            let page: Vec<(Bytes, Bytes)> = match self.lock().tables.get(&table) {
                None => return Ok(()),
                Some(rows) => rows
                    .range((start.clone(), end.clone()))
                    .take(PAGE)
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            };
            for (key, value) in &page {
                if let ControlFlow::Break(()) = visit(key, value) {
                    return Ok(());
                }
            }
            match page.last() {
                Some((key, _)) if page.len() == PAGE => start = Bound::Excluded(key.clone()),
                Some(_) | None => return Ok(()),
            }
        }
    }
}

impl KeyValue for MemoryStore {
    fn write(&self, number: u64, batch: &[RowOp]) -> Result<(), StoreError> {
        let mut inner = self.lock();
        for op in batch {
            let table = inner.tables.entry(op.table).or_default();
            match &op.value {
                Some(value) => table.insert(op.key.clone(), value.clone()),
                None => table.remove(&op.key),
            };
            inner.counters.rows += 1;
            inner.counters.bytes += (op.key.len() + op.value.as_ref().map_or(0, Bytes::len)) as u64;
        }
        inner.last_batch = number;
        Ok(())
    }

    fn last_batch(&self) -> u64 {
        self.lock().last_batch
    }

    fn counters(&self) -> StoreCounters {
        self.lock().counters
    }
}
