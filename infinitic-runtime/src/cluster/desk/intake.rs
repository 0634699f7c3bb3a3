//! What a worker takes from the broker: tasks, turns of others, and word of what is not wanted any
//! more.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use infinitic_core::FailureKind;
use infinitic_core::names::{ServiceName, WorkflowName};

use super::{Desk, which, which_step};
use crate::cluster::partition::is_newer;
use crate::cluster::settle::{Settle, give_back, settle};
use crate::cluster::store::Part;
use crate::cluster::stuck::too_long;
use crate::cluster::transport::{Acknowledge, Delivery, Reader, Reading, Topic, Window};
use crate::cluster::wire::Packet;
use crate::worker::TurnAway;

/// Deliveries by the broker that count as one: most of those it counts were only waiting their turn
/// in a worker that was stopped.
const DELIVERIES_FOR_ONE: u32 = 4;
/// Pause after a reader could not be opened, or brought what is not hosted here.
const PAUSE: Duration = Duration::from_secs(1);
/// Turns of others that a worker runs at a time.
const TURNS_AT_ONCE: usize = 16;
/// Bytes of attempts that a worker takes before they have ended.
const WINDOW_BYTES: usize = 16 << 20;

impl Desk {
    /// Takes attempts of a service from the broker, until the task is aborted.
    pub(crate) async fn take(self: Arc<Self>, service: ServiceName, limit: usize) {
        let window = Window {
            messages: limit,
            bytes: WINDOW_BYTES,
        };
        let topic = Topic::Tasks(service);
        let mut reader = self.open(&topic, Reading::Shared, window).await;
        let acknowledger: Arc<dyn Acknowledge> = Arc::from(reader.acknowledger());
        while let Some(deliveries) = reader.next(limit).await {
            for delivery in deliveries {
                let settle = Settle {
                    acknowledger: Arc::clone(&acknowledger),
                    tag: delivery.tag,
                };
                self.taken(&topic, delivery, settle).await;
            }
        }
    }

    async fn taken(self: &Arc<Self>, topic: &Topic, delivery: Delivery, owed: Settle) {
        let attempt = match Packet::decode(&delivery.payload) {
            Ok(Packet::Task(attempt)) => attempt,
            Ok(_) => {
                return self
                    .set_aside(topic, delivery, "it is no task".to_owned(), owed)
                    .await;
            }
            Err(error) if is_newer(&error) => {
                tracing::error!("a task waits for a newer release of this worker: {error}");
                return self.later(owed);
            }
            Err(error) => {
                return self
                    .set_aside(topic, delivery, error.to_string(), owed)
                    .await;
            }
        };
        if !self.executor().hosts(&attempt.service, &attempt.task) {
            tracing::warn!(
                "task {}.{} is not hosted here: another worker must run it",
                attempt.service,
                attempt.task
            );
            return self.later(owed);
        }
        // It goes to another worker when the reader is closed.
        if self.draining.load(Ordering::SeqCst) {
            return;
        }
        if delivery.redeliveries > self.deliveries_max * DELIVERIES_FOR_ONE {
            let why = format!(
                "each of {} workers that ran this attempt went away while it ran",
                delivery.redeliveries
            );
            let failed = self.failed(&attempt, FailureKind::Crashed, why);
            self.tell(attempt.workflow, attempt.id.instance, failed, vec![owed]);
            return;
        }
        let (id, which) = (attempt.id, which(&attempt));
        if self.unwanted().has(id, which) {
            return settle(vec![owed]);
        }
        if self.notes((id, which), &attempt.workflow, vec![owed]) {
            self.executor().dispatch([attempt]);
        }
        // A cancel that came in between found nothing to stop.
        if self.unwanted().has(id, which) {
            self.cancel(id, which);
        }
    }

    /// Lets the broker deliver something again, after a pause.
    fn later(&self, owed: Settle) {
        self.handle.spawn(async move {
            tokio::time::sleep(PAUSE).await;
            give_back(vec![owed]);
        });
    }

    async fn set_aside(&self, topic: &Topic, delivery: Delivery, why: String, owed: Settle) {
        tracing::error!("a message on {topic} was set aside: {why}");
        if self
            .transport
            .set_aside(topic, delivery.payload, why)
            .await
            .is_ok()
        {
            settle(vec![owed]);
        }
    }

    /// Hears of attempts that are not wanted any more, until the task is aborted.
    pub(crate) async fn hear(self: Arc<Self>, service: ServiceName) {
        let window = Window {
            messages: 1_000,
            bytes: 1 << 20,
        };
        let topic = Topic::TaskControl(service);
        let mut reader = self.open(&topic, Reading::All, window).await;
        let acknowledger = reader.acknowledger();
        while let Some(deliveries) = reader.next(1_000).await {
            for delivery in deliveries {
                if let Ok(Packet::Cancel(ids)) = Packet::decode(&delivery.payload) {
                    for (id, which) in ids {
                        self.cancel(id, which);
                    }
                }
                acknowledger.acknowledge(&[delivery.tag]);
            }
        }
    }

    async fn open(&self, topic: &Topic, reading: Reading, window: Window) -> Box<dyn Reader> {
        let (mut told, mut has_tried) = (HashSet::new(), false);
        loop {
            match self.transport.read(topic, reading, window).await {
                Ok(reader) => return reader,
                Err(error) => {
                    // Two workers that subscribe at the same time: the broker lets one try again.
                    if has_tried && told.insert(error.to_string()) {
                        tracing::error!("{topic} cannot be read, trying on: {error}");
                    }
                    has_tried = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Runs turns and steps of a version of a workflow whose instances others own, until the task
    /// is aborted.
    pub(crate) async fn take_turns(self: Arc<Self>, workflow: WorkflowName, version: u32) {
        let window = Window {
            messages: TURNS_AT_ONCE,
            bytes: WINDOW_BYTES,
        };
        let topic = Topic::Turns(workflow, version);
        let mut reader = self.open(&topic, Reading::Shared, window).await;
        let acknowledger: Arc<dyn Acknowledge> = Arc::from(reader.acknowledger());
        while let Some(deliveries) = reader.next(TURNS_AT_ONCE).await {
            for delivery in deliveries {
                let owed = Settle {
                    acknowledger: Arc::clone(&acknowledger),
                    tag: delivery.tag,
                };
                match Packet::decode(&delivery.payload) {
                    Ok(Packet::Turn(turn)) => {
                        tokio::spawn(Arc::clone(&self).turn(turn, owed));
                    }
                    Ok(_) => {
                        let why = "it is no turn".to_owned();
                        self.set_aside(&topic, delivery, why, owed).await;
                    }
                    Err(error) if is_newer(&error) => self.later(owed),
                    Err(error) => {
                        self.set_aside(&topic, delivery, error.to_string(), owed)
                            .await;
                    }
                }
            }
        }
    }

    async fn turn(self: Arc<Self>, turn: Box<TurnAway>, owed: Settle) {
        let workflows = Arc::clone(&self.workflows);
        let (workflow, instance) = (turn.workflow.clone(), turn.instance);
        if turn.step.is_some() {
            let job = tokio::task::spawn_blocking(move || turn.job(&workflows)).await;
            let Ok(Some((attempt, job))) = job else {
                // The owner asks again when it is still wanted.
                return settle(vec![owed]);
            };
            if self.notes((attempt.id, which_step(&attempt)), &workflow, vec![owed]) {
                self.executor().run_step(attempt, job.run, job.policy);
            }
            return;
        }
        // Workflow code does not block for long; should it, only this thread is lost.
        let stuck = turn.stuck(too_long(self.turn_limit));
        let runs = tokio::task::spawn_blocking(move || turn.run(&workflows));
        let done = match tokio::time::timeout(self.turn_limit, runs).await {
            Ok(Ok(Some(done))) => done,
            Ok(_) => return self.later(owed),
            Err(_) => {
                tracing::error!(instance = %instance, "a turn for another worker runs too long");
                stuck
            }
        };
        let part = Part::of(&workflow, instance, self.parts.ask(&workflow).await);
        let packet = Packet::TurnDone(Box::new(done));
        self.transport.ready().await;
        if self
            .transport
            .send(&Topic::Inbox(part), packet.encode())
            .await
            .is_ok()
        {
            settle(vec![owed]);
        }
    }
}
