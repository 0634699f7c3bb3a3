//! How the engine's thread comes to own partitions, and how it lets them go.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use infinitic_core::Timestamp;
use tokio::sync::oneshot;

use super::{Engine, Held, Holding};
use crate::cluster::inbox::{Inbox, Input};
use crate::cluster::partition::Partition;
use crate::cluster::store::{Claim, Epoch, Part};
use crate::cluster::transport::{Acknowledge, Reading, Topic, Transport, Window};
use crate::cluster::view::PartView;
use crate::worker::OnForeign;

/// Packets of one partition that were not acknowledged yet.
const WINDOW: Window = Window {
    messages: 256,
    bytes: 4 << 20,
};
/// Pause before a reader is opened again.
const PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn claimed(&mut self, part: Part, claim: Claim, now: Timestamp) {
        if let Some(old) = self.partitions.remove(&part) {
            old.reader.abort();
        }
        let view = Arc::new(PartView::new(
            Arc::clone(&self.parts.store),
            part.clone(),
            Some(self.parts.handle.clone()),
            Arc::clone(&self.parts.closed),
        ));
        let (inbox, foreign) = (Arc::clone(&self.parts.inbox), part.clone());
        let on_foreign: OnForeign = Arc::new(move |id, run| {
            let part = foreign.clone();
            inbox.push(Input::Foreign { part, id, run });
        });
        let epoch = claim.epoch;
        let partition = Partition::take_over(
            part.clone(),
            claim,
            view,
            &self.parts.me,
            &self.parts.hosted,
            &self.parts.settings,
            on_foreign,
            now,
        );
        let mut partition = match partition {
            Ok(partition) => partition,
            Err(error) => {
                tracing::error!("partition {part} cannot be read, and is left alone: {error}");
                return self.let_go(&part, epoch);
            }
        };
        partition.shard.running = Arc::clone(&self.running);
        partition
            .shard
            .leave_stopped(|id| self.parts.culprits.has(id));
        let (close_reader, close) = oneshot::channel();
        let reader = self.parts.handle.spawn(read(
            Arc::clone(&self.parts.transport),
            Arc::clone(&self.parts.inbox),
            part.clone(),
            epoch,
            close,
        ));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| !reader.is_finished());
        readers.push(reader.abort_handle());
        drop(readers);
        tracing::debug!("partition {part} is ours, epoch {}", epoch.0);
        self.partitions.insert(
            part,
            Holding {
                partition,
                settles: Vec::new(),
                locals: Vec::new(),
                fenced: false,
                close_reader: Some(close_reader),
                reader,
                maintained: Timestamp::default(),
                leaving: false,
                left: false,
            },
        );
    }

    /// The last round of a partition is safe: it is given up once its reader is closed.
    pub(super) fn last(&mut self, part: &Part, epoch: Epoch) {
        if self.holding(part, epoch).is_none() {
            return;
        }
        let Some(mut holding) = self.partitions.remove(part) else {
            return;
        };
        if let Some(close) = holding.close_reader.take() {
            close.send(()).ok();
        }
        let (store, held, part) = (
            Arc::clone(&self.parts.store),
            Arc::clone(&self.parts.held),
            part.clone(),
        );
        self.parts.handle.spawn(async move {
            holding.reader.await.ok();
            while let Err(error) = store.release(&part, epoch).await {
                tracing::warn!("partition {part} cannot be released, trying on: {error}");
                tokio::time::sleep(PAUSE).await;
            }
            forget(&held, &part, epoch);
        });
    }

    /// A partition is somebody else's, or must be read anew.
    pub(super) fn lost(&mut self, part: &Part, epoch: Epoch) {
        if self.holding(part, epoch).is_none() {
            return;
        }
        tracing::info!("partition {part} is not ours any more");
        if let Some(holding) = self.partitions.remove(part) {
            holding.reader.abort();
        }
        forget(&self.parts.held, part, epoch);
    }

    pub(super) fn drop_part(&mut self, part: &Part) {
        if let Some(holding) = self.partitions.remove(part) {
            holding.reader.abort();
            self.let_go(part, holding.partition.claim().epoch);
            for local in holding.locals {
                self.parts.desk.forward(local);
            }
        }
    }

    /// Releases a partition that cannot be worked on here. It stays among those held, so that it is
    /// not claimed again at once.
    fn let_go(&self, part: &Part, epoch: Epoch) {
        let (store, part) = (Arc::clone(&self.parts.store), part.clone());
        self.parts.handle.spawn(async move {
            store.release(&part, epoch).await.ok();
        });
    }
}

/// A partition is not in this worker's hands any more.
fn forget(held: &Held, part: &Part, epoch: Epoch) {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    if held.get(part) == Some(&epoch) {
        held.remove(part);
    }
}

/// Reads the inbox of a partition, until told to end.
async fn read(
    transport: Arc<dyn Transport>,
    inbox: Arc<Inbox>,
    part: Part,
    epoch: Epoch,
    mut close: oneshot::Receiver<()>,
) {
    let topic = Topic::Inbox(part.clone());
    let reading = Reading::Alone { rank: epoch.0 };
    let mut reader = loop {
        match transport.read(&topic, reading, WINDOW).await {
            Ok(reader) => break reader,
            Err(error) => {
                tracing::error!("the inbox of partition {part} cannot be read, trying on: {error}");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = &mut close => return,
                }
            }
        }
    };
    let acknowledger: Arc<dyn Acknowledge> = Arc::from(reader.acknowledger());
    loop {
        tokio::select! {
            _ = &mut close => return reader.close().await,
            deliveries = reader.next(WINDOW.messages) => match deliveries {
                Some(deliveries) => inbox.push(Input::Packets {
                    part: part.clone(),
                    epoch,
                    acknowledger: Arc::clone(&acknowledger),
                    deliveries,
                }),
                None => return,
            },
        }
    }
}
