//! What a shard reads of its partition: rows of a shared store, those of a round fetched at once.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use infinitic_core::InstanceId;
use tokio::runtime::Handle;

use super::store::{HistoryRow, Part, SharedStore};
use crate::backend::{ReadRows, StoreError, Table, Visit};
use crate::worker::{history_end, history_key, parse_history_key};

/// Rows read at once by a scan.
const PAGE: usize = 1_000;

/// A partition's rows, for a thread that may wait for them.
#[derive(Debug)]
pub(crate) struct PartView {
    store: Arc<dyn SharedStore>,
    part: Part,
    /// Waits for answers; none where the store answers at once.
    handle: Option<Handle>,
    /// Histories that this round has read.
    fetched: Mutex<HashMap<InstanceId, Vec<HistoryRow>>>,
    /// Nobody wants rows any more: the worker stops.
    closed: Arc<AtomicBool>,
}

impl PartView {
    pub(crate) fn new(
        store: Arc<dyn SharedStore>,
        part: Part,
        handle: Option<Handle>,
        closed: Arc<AtomicBool>,
    ) -> Self {
        Self {
            store,
            part,
            handle,
            fetched: Mutex::default(),
            closed,
        }
    }

    fn fetched(&self) -> MutexGuard<'_, HashMap<InstanceId, Vec<HistoryRow>>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads histories, for the round that begins.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn fetch(&self, ids: Vec<InstanceId>) -> Result<(), StoreError> {
        let rows = self.store.histories(&self.part, ids.clone()).await?;
        let mut fetched = self.fetched();
        for id in ids {
            fetched.entry(id).or_default().clear();
        }
        for row in rows {
            fetched.entry(row.id).or_default().push(row);
        }
        Ok(())
    }

    /// A round has ended: what it read is old.
    pub(crate) fn forget(&self) {
        self.fetched().clear();
    }

    fn wait<T>(
        &self,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::InUse("the worker is stopping".to_owned()));
        }
        match &self.handle {
            Some(handle) => handle.block_on(future),
            None => match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(StoreError::Io("a store that must wait".to_owned())),
            },
        }
    }

    /// The history of one instance, read if this round has not.
    fn history<T>(
        &self,
        id: InstanceId,
        with: impl FnOnce(&[HistoryRow]) -> T,
    ) -> Result<T, StoreError> {
        let is_known = self.fetched().contains_key(&id);
        if !is_known {
            self.wait(self.fetch(vec![id]))?;
        }
        Ok(with(self.fetched().get(&id).map_or(&[], Vec::as_slice)))
    }

    fn pages(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let mut from = Bytes::copy_from_slice(from);
        let to = to.map(Bytes::copy_from_slice);
        loop {
            let page = self
                .store
                .page(&self.part, table, from.clone(), to.clone(), PAGE);
            let page = self.wait(page)?;
            for (key, value) in &page {
                if let ControlFlow::Break(()) = visit(key, value) {
                    return Ok(());
                }
            }
            match page.last() {
                Some((key, _)) if page.len() == PAGE => from = [key, &[0][..]].concat().into(),
                Some(_) | None => return Ok(()),
            }
        }
    }
}

impl ReadRows for PartView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if table == Table::History
            && let Some((id, row)) = parse_history_key(key)
        {
            let find = |rows: &[HistoryRow]| {
                let row = rows.iter().find(|known| known.row == row);
                row.map(|row| row.value.clone())
            };
            return self.history(id, find);
        }
        let mut value = None;
        let next = [key, &[0]].concat();
        self.pages(table, key, Some(&next), &mut |_, found| {
            value = Some(Bytes::copy_from_slice(found));
            ControlFlow::Break(())
        })?;
        Ok(value)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let one = parse_history_key(from).filter(|(id, _)| to == Some(&history_end(*id)[..]));
        let (Table::History, Some((id, first))) = (table, one) else {
            return self.pages(table, from, to, visit);
        };
        let rows = self.history(id, <[HistoryRow]>::to_vec)?;
        for row in rows.iter().filter(|row| row.row >= first) {
            if let ControlFlow::Break(()) = visit(&history_key(id, row.row), &row.value) {
                break;
            }
        }
        Ok(())
    }

    fn prefetch(&self, ids: &[InstanceId]) -> Result<(), StoreError> {
        self.wait(self.fetch(ids.to_vec()))
    }
}
