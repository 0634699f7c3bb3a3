//! Clusters: a broker and a database of a run's own, the workers beside this one, and what all of
//! them cost.
//!
//! Real servers are reached at the addresses in the environment; each run takes a fresh namespace
//! and schema there, and removes them afterwards. See `real`.

pub(crate) mod cost;
mod helper;
#[cfg(feature = "cluster")]
mod listening;
mod processes;
#[cfg(feature = "cluster")]
mod real;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use infinitic::prelude::*;
use infinitic_runtime::cluster::ClusterSettings;
use infinitic_runtime::cluster::memory::store::MemorySharedStore;
use infinitic_runtime::cluster::memory::transport::MemoryBroker;
use infinitic_runtime::cluster::store::{Beat, Fleet, MemberId, SharedStore};
use infinitic_runtime::cluster::transport::Transport;

use crate::Failed;
use crate::options::{Backend, Options};
use cost::Watch;
pub(crate) use helper::serve;
use helper::{Helper, Helpers};
use processes::Process;

/// How often it is looked whether all partitions have their owners.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Partitions that have no owner by then get none.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster of one run.
pub(crate) struct Cluster {
    servers: Servers,
    /// What tells this run from all others on the same servers.
    pub(crate) name: String,
    /// The client's own connection to the broker.
    transport: Arc<dyn Transport>,
    /// Where the worker's rows go, and where it is seen who owns what.
    store: Arc<dyn SharedStore>,
    helpers: Helpers,
    /// Workers in all, this process included.
    workers: usize,
    /// What was made for this run is removed by it.
    removes: bool,
}

enum Servers {
    Memory(MemoryBroker),
    #[cfg(feature = "cluster")]
    Real(Box<real::Real>),
}

impl Servers {
    /// What the options ask for; `name` is what the run has for itself on real servers.
    #[cfg_attr(not(feature = "cluster"), allow(unused_variables))]
    fn of(options: &Options, name: &str) -> Result<Self, Failed> {
        match options.backend {
            #[cfg(feature = "cluster")]
            Backend::Cluster(database) => {
                Ok(Self::Real(Box::new(real::Real::new(database, name)?)))
            }
            #[cfg(not(feature = "cluster"))]
            Backend::Cluster(_) => Err("real servers are a feature of the build: \
                cargo run --release --features cluster --example bench"
                .into()),
            _ => Ok(Self::Memory(MemoryBroker::new())),
        }
    }

    async fn transport(&self) -> Result<Arc<dyn Transport>, Failed> {
        match self {
            Self::Memory(broker) => Ok(Arc::new(broker.transport())),
            #[cfg(feature = "cluster")]
            Self::Real(real) => real.transport().await,
        }
    }

    async fn store(&self) -> Result<Arc<dyn SharedStore>, Failed> {
        match self {
            Self::Memory(_) => Ok(Arc::new(MemorySharedStore::default())),
            #[cfg(feature = "cluster")]
            Self::Real(real) => real.store().await,
        }
    }

    /// The processes of broker and database, as far as they run on this machine.
    fn processes(&self) -> [Option<Process>; 2] {
        match self {
            Self::Memory(_) => [None, None],
            #[cfg(feature = "cluster")]
            Self::Real(real) => real.ports().map(|port| listening::listening(port?)),
        }
    }
}

impl Cluster {
    /// Connects, and makes what the run needs there.
    pub(crate) async fn new(options: &Options) -> Result<Self, Failed> {
        let (name, removes) = match &options.name {
            Some(name) => (name.clone(), false),
            None => (format!("bench_{}", std::process::id()), true),
        };
        let servers = Servers::of(options, &name)?;
        Ok(Self {
            transport: servers.transport().await?,
            store: servers.store().await?,
            servers,
            name,
            helpers: Helpers::default(),
            workers: options.workers,
            removes,
        })
    }

    /// A worker of it.
    pub(crate) async fn worker(&self, options: &Options) -> Result<Worker, Failed> {
        let mut settings = ClusterSettings {
            tasks_at_home: !options.tasks_away,
            ..ClusterSettings::default()
        };
        settings.partitions = options.partitions.unwrap_or(settings.partitions);
        let transport = self.servers.transport().await?;
        Ok(Worker::cluster(
            transport,
            Some(Arc::clone(&self.store)),
            settings,
        ))
    }

    /// A client that knows the broker alone, as one in another process would.
    pub(crate) fn client(&self) -> Client {
        Client::cluster(Arc::clone(&self.transport))
    }

    /// What measures it.
    pub(crate) fn watch(&self, meter: StoreMeter) -> Watch {
        let [broker, database] = self.servers.processes();
        Watch {
            meter,
            client: Arc::clone(&self.transport),
            helpers: self.helpers.clone(),
            broker,
            database,
        }
    }

    /// Starts the other workers, and waits until each worker owns its share.
    pub(crate) async fn ready(&self, options: &Options) -> Result<(), Failed> {
        for _ in 1..self.workers {
            self.helpers.add(Helper::start(options, &self.name)?);
        }
        let begin = Instant::now();
        let looker = Beat {
            member: MemberId("bench-looks".to_owned()),
            hosts: Vec::new(),
            lease: Duration::from_millis(1),
        };
        loop {
            let fleet = self.store.beat(&looker).await?;
            if is_shared(&fleet, self.workers) {
                return Ok(self.store.leave(&looker.member).await?);
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("not all partitions had an owner within {PATIENCE:?}").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the other workers and the connections, and removes what was made for this run.
    pub(crate) async fn end(&self) {
        self.helpers.stop();
        self.transport.close().await;
        if self.removes {
            match &self.servers {
                Servers::Memory(_) => {}
                #[cfg(feature = "cluster")]
                Servers::Real(real) => real.remove().await,
            }
        }
    }
}

/// Whether all partitions of each workflow are owned, by so many workers, as evenly as can be.
fn is_shared(fleet: &Fleet, workers: usize) -> bool {
    let mut shares: BTreeMap<_, BTreeMap<&MemberId, usize>> = BTreeMap::new();
    for owned in &fleet.parts {
        let Some(owner) = &owned.owner else {
            return false;
        };
        let of_workflow = shares.entry(&owned.part.workflow).or_default();
        *of_workflow.entry(owner).or_default() += 1;
    }
    let is_even = |shares: &BTreeMap<_, usize>| {
        let (min, max) = (shares.values().min(), shares.values().max());
        let is_flat = min.zip(max).is_some_and(|(min, max)| max - min <= 1);
        shares.len() == workers && is_flat
    };
    !shares.is_empty() && shares.values().all(is_even)
}
