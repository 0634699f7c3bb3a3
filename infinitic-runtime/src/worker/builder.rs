//! `Worker`: what a user builds, runs and takes clients from.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Hosted;
use super::endpoint::Listen;
use super::error::WorkerError;
use super::settings::{Replay, ShardSettings};
use crate::backend::memory::MemoryStore;
use crate::backend::{CommitId, KeyValue, StoreMeter};
use crate::client::{Client, LocalLink, Replies};
use crate::clock::{Clock, SystemClock, random_bits};
use crate::cluster::ClusterSettings;
use crate::cluster::connection::{Connection, MakeStore};
use crate::cluster::store::{Pending, SharedStore};
use crate::cluster::transport::Transport;
use crate::mailbox::Mailbox;
use crate::service::{Concurrency, HostedServices, Service, ServiceProxy, TurnRetries};
use crate::workflow::HostWorkflow;

/// How long a draining worker waits for running attempts, unless told otherwise.
const GRACE: Duration = Duration::from_secs(10);
/// Longest time that one turn may take. Turns take microseconds; a minute is a loop.
const TURN_LIMIT: Duration = Duration::from_secs(60);
/// Shards beyond this gain nothing: their commits are merged into one write anyway.
const SHARDS_MAX: usize = 8;

/// Hosts services and workflows. One type for every backend.
///
/// ```ignore
/// Worker::embedded("./data")?
///     .service(StripePayments::new())
///     .workflow(Orders::default)
///     .run()
///     .await
/// ```
pub struct Worker {
    pub(super) backend: Backend,
    pub(super) hosted: Hosted,
    pub(super) services: Option<HostedServices>,
    pub(super) name: String,
    pub(super) concurrency: Concurrency,
    pub(super) settings: ShardSettings,
    pub(super) shards: usize,
    pub(super) turn_limit: Duration,
    pub(super) grace: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) listen: Option<Listen>,
    pub(super) error: Option<WorkerError>,
    #[cfg(feature = "config")]
    pub(super) tuning: crate::config::Tuning,
    pub(super) parts: OnceLock<Ways>,
}

/// What keeps the instances.
pub(super) enum Backend {
    /// A store of this process's own.
    Own {
        store: Arc<dyn KeyValue>,
        unclean_exits: u32,
    },
    /// A broker and a database that many workers share.
    Shared {
        connection: Arc<Connection>,
        settings: ClusterSettings,
    },
}

/// How messages come in and answers go out, in a worker with a store of its own.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    pub(super) replies: Arc<Replies>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("hosted", &self.hosted)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker on a directory of this machine: durable, recovered after `kill -9`. Opens, locks
    /// and checks the directory at once; it is created if it does not exist.
    ///
    /// # Errors
    /// [`WorkerError::Open`] when the directory cannot be used: another process has it open, it may
    /// not be written, a newer version wrote it, or it is damaged.
    #[cfg(feature = "embedded")]
    pub fn embedded(path: impl AsRef<std::path::Path>) -> Result<Self, WorkerError> {
        if let Some(parent) = path.as_ref().parent() {
            // What cannot be made is told, with its reason, by the opening that follows.
            std::fs::create_dir_all(parent).ok();
        }
        let store = crate::embedded::EmbeddedStore::open(path)?;
        let unclean_exits = store.unclean_exits();
        Ok(Self::with(Backend::Own {
            store: Arc::new(store),
            unclean_exits,
        }))
    }

    /// A worker that keeps everything in memory: for tests, and where nothing must survive.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::over(Arc::new(MemoryStore::default()))
    }

    /// A worker over any store.
    #[must_use]
    pub fn over(store: Arc<dyn KeyValue>) -> Self {
        Self::with(Backend::Own {
            store,
            unclean_exits: 0,
        })
    }

    /// A worker of a cluster: messages through a broker, state in a database, both shared with
    /// other workers. A worker that hosts services only needs no database.
    ///
    /// Instances are spread over the workers that host their workflow; what one that dies has left
    /// is taken over by the others, some seconds later.
    #[must_use]
    pub fn cluster(
        transport: Arc<dyn Transport>,
        store: Option<Arc<dyn SharedStore>>,
        settings: ClusterSettings,
    ) -> Self {
        let make_transport = move || {
            let transport = Arc::clone(&transport);
            Box::pin(std::future::ready(Ok(transport))) as Pending<'static, _>
        };
        let make_store = store.map(|store| {
            let make = move || {
                let store = Arc::clone(&store);
                Box::pin(std::future::ready(Ok(store))) as Pending<'static, _>
            };
            Box::new(make) as MakeStore
        });
        let connection = Connection::new(Box::new(make_transport), make_store);
        Self::connected(connection, settings)
    }

    pub(crate) fn connected(connection: Arc<Connection>, settings: ClusterSettings) -> Self {
        Self::with(Backend::Shared {
            connection,
            settings,
        })
    }

    fn with(backend: Backend) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            backend,
            hosted: Hosted::default(),
            services: Some(HostedServices::new()),
            name: format!("worker-{}", std::process::id()),
            concurrency: Concurrency::default(),
            settings: ShardSettings {
                first_commit: CommitId(random_bits()),
                ..ShardSettings::default()
            },
            shards: (cores / 2).clamp(1, SHARDS_MAX),
            turn_limit: TURN_LIMIT,
            grace: GRACE,
            clock: Arc::new(SystemClock),
            listen: None,
            error: None,
            #[cfg(feature = "config")]
            tuning: crate::config::Tuning::default(),
            parts: OnceLock::new(),
        }
    }

    /// Hosts a service: any value whose type has `#[service]` on an `impl`, or a function under
    /// `#[service]`.
    #[must_use]
    pub fn service<M>(mut self, service: impl Service<M>) -> Self {
        let result = match &mut self.services {
            Some(services) => services.insert(service).map_err(WorkerError::from),
            None => Err(WorkerError::TooLate("service")),
        };
        self.note(result)
    }

    /// Hosts a value for one of the several contracts that it implements.
    #[must_use]
    pub fn service_for<P: ServiceProxy, S: Service<P::Marker>>(self, service: S) -> Self {
        self.service::<P::Marker>(service)
    }

    /// Hosts a workflow: a factory that makes its struct (`Orders::default`), or a function under
    /// `#[workflow]`.
    #[must_use]
    pub fn workflow<M>(self, workflow: impl HostWorkflow<M>) -> Self {
        let result = match &self.services {
            Some(_) => self.hosted.workflow(workflow),
            None => Err(WorkerError::TooLate("workflow")),
        };
        self.note(result)
    }

    fn note(mut self, result: Result<(), WorkerError>) -> Self {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self
    }

    /// The worker's name, as failures and task contexts tell it; `worker-` and the process id
    /// unless told otherwise.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Attempts that run at the same time, for each service; 64 unless told otherwise.
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        self.concurrency.default = attempts.max(1);
        self
    }

    /// The same for one service, by its name.
    #[must_use]
    pub fn concurrency_of(mut self, service: &str, attempts: usize) -> Self {
        self.concurrency
            .services
            .insert(service.to_owned(), attempts.max(1));
        self
    }

    /// How often an attempt is given out again after its process died, before the task fails as
    /// crashed; 5 times unless told otherwise.
    #[must_use]
    pub fn max_deliveries(mut self, times: u32) -> Self {
        self.settings.deliveries_max = times.max(1);
        self
    }

    /// How long records of ended instances are kept; 7 days unless told otherwise.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention;
        self
    }

    /// When live futures are dropped; see [`Replay`].
    #[must_use]
    pub fn replay(mut self, replay: Replay) -> Self {
        self.settings.replay = replay;
        self
    }

    /// How many live futures, and how many states of open instances, stay in memory.
    #[must_use]
    pub fn memory(mut self, warm: usize, cached: usize) -> Self {
        self.settings.warm_max = warm.max(1);
        self.settings.cached_max = cached.max(1);
        self
    }

    /// Engine threads over which instances are spread; half the cores unless told otherwise.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards.clamp(1, SHARDS_MAX);
        self
    }

    /// Longest time that one turn of workflow code may take; a minute unless told otherwise. Beyond
    /// it the instance is stopped with an explanation, and the others go on.
    #[must_use]
    pub fn turn_limit(mut self, limit: Duration) -> Self {
        self.turn_limit = limit;
        self
    }

    /// The format that **this process** writes, in its store and to others: 1 unless told
    /// otherwise, which the release before this one reads; 2 adds a checksum to each row and
    /// message, so that a store that gives back something else is found out. Both are read, always.
    ///
    /// Choose a newer format when every worker and client runs a release that reads it: an older
    /// one leaves alone what it cannot read, and waits for a newer worker.
    ///
    /// [`Worker::run`] tells [`WorkerError::Format`] when this release does not write the format.
    #[must_use]
    pub fn write_format(mut self, format: u8) -> Self {
        if let Err(error) = infinitic_core::codec::write_format(format) {
            self.error.get_or_insert_with(|| error.into());
        }
        self
    }

    /// Whether and when a turn is tried again that cannot go on: one whose code panics, diverges
    /// from its history or waits for something foreign. Never, unless told otherwise: such an
    /// instance stands still until it is mended, as nearly all such faults are of the code. A
    /// policy helps where they pass: a panic by something that is not there yet, say.
    ///
    /// Takes an [`ExponentialRetry`](crate::service::ExponentialRetry), or a
    /// [`RetryPolicy`](crate::service::RetryPolicy), whose attempts are numbered from 0. Pauses are
    /// durable; a start of the worker does not shorten them. `retry_turn` runs the turn at once and
    /// grants all attempts anew. A turn beyond the time limit for turns is not tried again.
    ///
    /// ```no_run
    /// use infinitic_runtime::service::ExponentialRetry;
    /// use infinitic_runtime::worker::Worker;
    ///
    /// let worker = Worker::in_memory().retry_turns(ExponentialRetry {
    ///     max_attempts: 5,
    ///     ..ExponentialRetry::DEFAULT
    /// });
    /// ```
    #[must_use]
    pub fn retry_turns(mut self, policy: impl Into<TurnRetries>) -> Self {
        self.settings.retry_turns = Some(policy.into());
        self
    }

    /// How long a stopping worker waits for running attempts, and for turns that loop; 10 s unless
    /// told otherwise.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Opens a local endpoint for clients in other processes (`Client::connect`). Loopback
    /// addresses only: who reaches it may start and cancel everything.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(Listen {
            address: address.into(),
            token: None,
        });
        self
    }

    /// The same at any address, for clients that know the token. The connection is not encrypted.
    #[must_use]
    pub fn listen_with_token(
        mut self,
        address: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.listen = Some(Listen {
            address: address.into(),
            token: Some(token.into()),
        });
        self
    }

    /// Tells what the store has cost, at any time, also while the worker runs.
    #[must_use]
    pub fn store_meter(&self) -> StoreMeter {
        match &self.backend {
            Backend::Own { store, .. } => StoreMeter::new(Arc::clone(store)),
            Backend::Shared { connection, .. } => StoreMeter::shared(Arc::clone(connection)),
        }
    }

    /// Keeps what a configuration says of services until they are hosted.
    #[cfg(feature = "config")]
    pub(crate) fn tuned(mut self, tuning: crate::config::Tuning) -> Self {
        for (service, attempts) in tuning.concurrency() {
            self.concurrency.services.insert(service, attempts);
        }
        self.tuning = tuning;
        self
    }

    /// Whether turns of one workflow are tried again, whatever holds for the others.
    #[cfg(feature = "config")]
    pub(crate) fn retry_turns_of(
        mut self,
        workflow: infinitic_core::names::WorkflowName,
        policy: Option<TurnRetries>,
    ) -> Self {
        self.settings.retry_turns_of.insert(workflow, policy);
        self
    }

    /// What is hosted, for the run that begins.
    pub(super) fn take_services(&mut self) -> Result<HostedServices, WorkerError> {
        #[cfg_attr(not(feature = "config"), expect(unused_mut))]
        let mut services = self.services.take().ok_or(WorkerError::TooLate("run"))?;
        #[cfg(feature = "config")]
        self.tuning.apply(&mut services, &self.concurrency);
        Ok(services)
    }

    pub(super) fn ways(&self) -> &Ways {
        self.parts.get_or_init(|| Ways {
            mailboxes: (0..self.shards).map(|_| Arc::default()).collect(),
            replies: Arc::default(),
        })
    }

    /// A client in this process. Its requests are handled once the worker runs.
    #[must_use]
    pub fn client(&self) -> Client {
        match &self.backend {
            Backend::Own { .. } => Client {
                link: Arc::new(self.link()),
            },
            Backend::Shared {
                connection,
                settings,
            } => Client::of_cluster(Arc::clone(connection), settings.partitions),
        }
    }

    pub(super) fn link(&self) -> Arc<LocalLink> {
        let Ways { mailboxes, replies } = self.ways().clone();
        Arc::new(LocalLink {
            mailboxes,
            replies,
            clock: Arc::clone(&self.clock),
        })
    }
}
