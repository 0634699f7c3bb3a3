//! A running worker of a cluster: its thread and tasks, and how they start and stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use infinitic_core::names::WorkflowName;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::clock::StoreClock;
use super::connection::Connection;
use super::desk::Desk;
use super::engine::{EngineParts, Held};
use super::fleet::Beating;
use super::inbox::{Inbox, Input};
use super::parts::PartCounts;
use super::store::{Beat, Fleet, MemberId, SharedStore};
use super::stuck::{Engines, LAST_TURN, spawn};
use super::transport::Transport;
use super::writer::Writer;
use crate::clock::{monotonic, random_bits};
use crate::service::{Concurrency, Executor, HostedServices};
use crate::worker::{Hosted, RunningTurn, ShardSettings, WorkerError};

/// How often a stopping worker looks whether its partitions are handed over.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the handing over may take; what is not handed over is taken when the lease runs out.
const HAND_OVER: Duration = Duration::from_secs(10);

/// How a worker takes part in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Partitions of a workflow name that has none yet; 32 unless told otherwise. The number is
    /// fixed by whoever comes first.
    pub partitions: u16,
    /// Whether the owner of an instance's partition runs its tasks itself when it hosts their
    /// service and has room; true unless told otherwise. Else all go over the broker.
    pub tasks_at_home: bool,
    /// How often a worker says that it is alive; every second unless told otherwise.
    pub beat_every: Duration,
    /// After how long a silent worker counts as gone, and others take its partitions over; 5 s
    /// unless told otherwise.
    pub lease: Duration,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            partitions: 32,
            tasks_at_home: true,
            beat_every: Duration::from_secs(1),
            lease: Duration::from_secs(5),
        }
    }
}

/// What a node is made of.
pub(crate) struct NodeParts {
    pub(crate) connection: Arc<Connection>,
    pub(crate) cluster: ClusterSettings,
    pub(crate) hosted: Hosted,
    pub(crate) services: HostedServices,
    pub(crate) concurrency: Concurrency,
    pub(crate) name: String,
    pub(crate) settings: ShardSettings,
    /// Longest time that a turn may take.
    pub(crate) turn_limit: Duration,
}

/// What a worker needs that owns partitions.
struct Own {
    store: Arc<dyn SharedStore>,
    cluster: ClusterSettings,
    hosted: Hosted,
    workflows: Vec<WorkflowName>,
    settings: ShardSettings,
    turn_limit: Duration,
}

/// A running worker.
pub(crate) struct ClusterNode {
    inbox: Arc<Inbox>,
    writer: Option<Arc<Writer>>,
    desk: Arc<Desk>,
    executor: Executor,
    transport: Arc<dyn Transport>,
    store: Option<Arc<dyn SharedStore>>,
    me: MemberId,
    held: Held,
    closed: Arc<AtomicBool>,
    beating: Option<JoinHandle<()>>,
    takers: Vec<JoinHandle<()>>,
    engines: Option<Arc<Engines>>,
    watching: Option<JoinHandle<()>>,
    /// Of a worker without a store: brings ends of attempts to those who own the instances.
    forwarder: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterNode")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

impl ClusterNode {
    /// Connects, makes what is missing, and begins to work. `handle` is the runtime of the tasks.
    pub(crate) async fn start(parts: NodeParts, handle: Handle) -> Result<Self, WorkerError> {
        let NodeParts {
            connection,
            cluster,
            hosted,
            services,
            concurrency,
            name,
            settings,
            turn_limit,
        } = parts;
        let transport = connection.transport().await?;
        let inbox = Arc::new(Inbox::default());
        let counts = PartCounts::new(Arc::clone(&transport), cluster.partitions);
        let desk = Desk::new(
            Arc::clone(&transport),
            handle.clone(),
            Arc::clone(&inbox),
            counts,
            Arc::clone(&hosted.workflows),
            cluster.tasks_at_home,
            settings.deliveries_max,
            turn_limit,
        );
        let outcome = {
            let desk = Arc::clone(&desk);
            Arc::new(move |to, message| desk.ended(to, message))
        };
        let executor = Executor::new(handle.clone(), services, &name, &concurrency, outcome);
        desk.executor
            .set(executor.clone())
            .expect("it is set here, once");
        let mut node = Self {
            inbox,
            writer: None,
            desk,
            executor,
            transport,
            store: None,
            me: MemberId(format!("{name}-{:016x}", random_bits())),
            held: Held::default(),
            closed: Arc::default(),
            beating: None,
            takers: Vec::new(),
            engines: None,
            watching: None,
            forwarder: None,
        };
        let workflows = hosted.names();
        let versions = hosted.workflows.versions();
        if connection.has_store() || !workflows.is_empty() {
            let store = connection.store().await?;
            let own = Own {
                store,
                cluster,
                hosted,
                workflows,
                settings,
                turn_limit,
            };
            node.own(own, &handle).await?;
        } else {
            node.forward_only(&handle);
        }
        node.take(versions, &handle);
        Ok(node)
    }

    /// Begins to take turns and attempts from the broker.
    fn take(&mut self, versions: Vec<(WorkflowName, u32)>, handle: &Handle) {
        for (workflow, version) in versions {
            let desk = Arc::clone(&self.desk);
            self.takers
                .push(handle.spawn(desk.take_turns(workflow, version)));
        }
        for (service, limit) in self.executor.services() {
            let desk = Arc::clone(&self.desk);
            self.takers
                .push(handle.spawn(desk.take(service.clone(), limit)));
            let desk = Arc::clone(&self.desk);
            self.takers.push(handle.spawn(desk.hear(service)));
        }
    }

    /// Begins to own partitions.
    async fn own(&mut self, own: Own, handle: &Handle) -> Result<(), WorkerError> {
        let Own {
            store,
            cluster,
            hosted,
            workflows,
            settings,
            turn_limit,
        } = own;
        self.make_parts(&store, &workflows, cluster.partitions)
            .await?;
        let clock = Arc::new(StoreClock::default());
        let beat = Beat {
            member: self.me.clone(),
            hosts: workflows,
            lease: cluster.lease,
        };
        let asked = monotonic();
        let first: Fleet = store.beat(&beat).await?;
        clock.told(first.now, asked);
        let writer = Writer::new(
            Arc::clone(&store),
            Arc::clone(&self.desk),
            Arc::clone(&self.inbox),
        );
        let beating = Beating {
            store: Arc::clone(&store),
            transport: Arc::clone(&self.transport),
            inbox: Arc::clone(&self.inbox),
            clock: Arc::clone(&clock),
            held: Arc::clone(&self.held),
            beat,
            every: cluster.beat_every,
        };
        let engine = EngineParts {
            store: Arc::clone(&store),
            transport: Arc::clone(&self.transport),
            handle: handle.clone(),
            inbox: Arc::clone(&self.inbox),
            writer: Arc::clone(&writer),
            desk: Arc::clone(&self.desk),
            clock,
            me: self.me.clone(),
            hosted,
            settings,
            closed: Arc::clone(&self.closed),
            held: Arc::clone(&self.held),
            culprits: Arc::default(),
        };
        handle.spawn(Arc::clone(&writer).run());
        let engines = Engines::start(engine, turn_limit)?;
        self.watching = Some(handle.spawn(Arc::clone(&engines).watch()));
        self.engines = Some(engines);
        self.beating = Some(handle.spawn(beating.run(first)));
        self.writer = Some(writer);
        self.store = Some(store);
        Ok(())
    }

    /// Makes the inboxes and partitions of the workflows that are hosted here, unless they exist.
    async fn make_parts(
        &self,
        store: &Arc<dyn SharedStore>,
        workflows: &[WorkflowName],
        wanted: u16,
    ) -> Result<(), WorkerError> {
        for workflow in workflows {
            // A client may have come first, with another number: the broker's number decides.
            let inboxes = self.transport.inboxes(workflow, wanted).await?;
            let parts = store.parts(workflow, inboxes).await?;
            if inboxes != parts {
                return Err(WorkerError::System {
                    what: "joining the cluster",
                    reason: format!(
                        "workflow {workflow} has {inboxes} inboxes in the broker and {parts} \
                         partitions in the store: one of them belongs to another cluster; use \
                         another namespace or another table prefix"
                    ),
                });
            }
            // An end that had to ask for it would come after the partition was handed over.
            self.desk.parts.note(workflow, parts);
        }
        Ok(())
    }

    /// A worker that hosts services only: ends of attempts go to those who own the instances.
    fn forward_only(&mut self, handle: &Handle) {
        let (inbox, desk) = (Arc::clone(&self.inbox), Arc::clone(&self.desk));
        let forwards = move || {
            while let Some(inputs) = inbox.take(0, LOOK_EVERY * 200) {
                for input in inputs {
                    if let Input::Local(local) = input {
                        desk.forward(local);
                    }
                }
            }
        };
        let _guard = handle.enter();
        self.forwarder = spawn(forwards).ok();
    }

    /// Ends when the engine's thread has panicked.
    pub(crate) async fn failed(&self) {
        let has_ended = || {
            let engines = self.engines.as_ref();
            let forwarder = self.forwarder.as_ref();
            engines.is_some_and(|engines| engines.is_finished())
                || forwarder.is_some_and(std::thread::JoinHandle::is_finished)
        };
        while !has_ended() {
            tokio::time::sleep(LOOK_EVERY * 100).await;
        }
    }

    /// Lets running attempts end, hands all partitions over, and leaves the fleet.
    pub(crate) async fn stop(mut self, grace: Duration) -> usize {
        self.desk.draining.store(true, Ordering::SeqCst);
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
        let dropped = self.executor.drain(grace).await;
        let begun = monotonic();
        for part in self.held_parts() {
            self.inbox.push(Input::Release { part });
        }
        let turn = self.turn();
        while !self.held_parts().is_empty() && begun.elapsed() < HAND_OVER {
            // It never ends: what this worker owns is taken when it has left.
            if turn.is_some() && begun.elapsed() >= LAST_TURN && self.turn() == turn {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if let Some(store) = &self.store {
            let left = tokio::time::timeout(HAND_OVER, store.leave(&self.me)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!("the store was not told that this worker leaves");
            }
        }
        for taker in self.takers.drain(..) {
            taker.abort();
        }
        self.end();
        self.transport.close().await;
        if let Some(store) = self.store.take() {
            store.close().await;
        }
        dropped
    }

    /// The turn that the engine's thread is in.
    fn turn(&self) -> Option<RunningTurn> {
        self.engines.as_ref().and_then(|engines| engines.turn())
    }

    fn held_parts(&self) -> Vec<super::store::Part> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.keys().cloned().collect()
    }

    fn end(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.inbox.close();
        if let Some(writer) = &self.writer {
            writer.close();
        }
        if let Some(watching) = self.watching.take() {
            watching.abort();
        }
        if let Some(engines) = self.engines.take() {
            engines.join();
        }
        if let Some(forwarder) = self.forwarder.take()
            && forwarder.join().is_err()
        {
            tracing::error!("the forwarding thread panicked");
        }
    }
}

impl Drop for ClusterNode {
    fn drop(&mut self) {
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
        for taker in self.takers.drain(..) {
            taker.abort();
        }
        self.end();
    }
}
