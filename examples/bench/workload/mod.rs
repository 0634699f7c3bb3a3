//! The workloads. Each builds a worker, measures while it runs, and gives the line to print.

mod floor;
mod many;
mod recovery;
mod tasks;
mod timers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use infinitic::prelude::*;

use crate::Failed;
use crate::cluster::{Cluster, serve};
use crate::flows::{Clocked, echo, fan_out, sequence, two_tasks, wait_for};
use crate::measure::{Report, Source};
use crate::options::{Backend, Options, Workload};
use many::Load;

/// Runs what the options ask for; nothing is to be printed when another process has printed it.
pub(crate) async fn run(options: &Options, begin: Instant) -> Result<Option<Report>, Failed> {
    let place = Place::new(options).await?;
    let report = run_at(options, &place, begin).await;
    place.end().await;
    Ok(report?.map(|report| Report {
        workload: options.workload.name(),
        backend: options.backend.name(),
        workers: options.backend.is_cluster().then_some(options.workers),
        tasks_away: options.backend.is_cluster().then_some(options.tasks_away),
        ..report
    }))
}

async fn run_at(
    options: &Options,
    place: &Place,
    begin: Instant,
) -> Result<Option<Report>, Failed> {
    Ok(Some(match options.workload {
        Workload::TwoTasks => many::run(options, place).await?,
        Workload::FanOut => tasks::fan_out(options, place).await?,
        Workload::Sequence => tasks::sequence(options, place).await?,
        Workload::Timers => timers::run(options, place).await?,
        Workload::Recovery => {
            recovery::run(options, place)?;
            return Ok(None);
        }
        Workload::Fill => return recovery::fill(options, place).await,
        Workload::Recover => recovery::recover(options, place, begin).await?,
        Workload::Floor => floor::run(options, place)?,
        Workload::Worker => {
            serve(worker(options, place).await?.service(Clocked::default())).await?;
            return Ok(None);
        }
    }))
}

/// Where rows go: a directory, or a cluster.
pub(crate) struct Place {
    path: PathBuf,
    /// Ours, and of no use afterwards.
    remove: bool,
    cluster: Option<Cluster>,
}

impl Place {
    async fn new(options: &Options) -> Result<Self, Failed> {
        let (path, remove) = match &options.data {
            Some(path) => (path.clone(), false),
            None => {
                let name = format!("bench-{}", std::process::id());
                (Path::new("data").join(name), true)
            }
        };
        if options.backend == Backend::Embedded {
            std::fs::create_dir_all(&path)?;
        }
        let cluster = match options.backend.is_cluster() {
            true => Some(Cluster::new(options).await?),
            false => None,
        };
        Ok(Self {
            path,
            remove,
            cluster,
        })
    }

    async fn end(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.end().await;
        }
    }

    /// A client of a worker here: through the broker where there is one.
    fn client(&self, worker: &Worker) -> Client {
        match &self.cluster {
            Some(cluster) => cluster.client(),
            None => worker.client(),
        }
    }

    /// What measures a worker here, and all that it needs.
    fn source(&self, worker: &Worker) -> Source {
        let meter = worker.store_meter();
        match &self.cluster {
            Some(cluster) => Source::Cluster(cluster.watch(meter)),
            None => Source::Store(meter),
        }
    }

    /// Ends when a cluster can be measured: all partitions have owners, and every inbox was used.
    async fn ready(&self, options: &Options, client: &Client) -> Result<(), Failed> {
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        cluster.ready(options).await?;
        let many = |count: u64| options.warm.unwrap_or(count);
        match options.workload {
            Workload::TwoTasks => {
                let load = Load {
                    count: many(4_096),
                    limit: None,
                    in_flight: 200,
                };
                load.run(client).await.map(drop)
            }
            Workload::FanOut => {
                let flow = client.new_workflow::<fan_out>();
                for _ in 0..many(64) {
                    flow.fan_out(1).await?;
                }
                Ok(())
            }
            Workload::Sequence => {
                let flow = client.new_workflow::<sequence>();
                for _ in 0..many(64) {
                    flow.sequence(2).await?;
                }
                Ok(())
            }
            _ => {
                let flow = client.new_workflow::<wait_for>();
                let runs: Vec<_> = (0..many(4_096)).map(|_| flow.wait_for(1)).collect();
                for run in client.dispatch_many(runs).await? {
                    run.await?;
                }
                Ok(())
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.remove && self.path.exists() {
            let removed = std::fs::remove_dir_all(&self.path);
            if let Err(error) = removed {
                eprintln!("{} was not removed: {error}", self.path.display());
            }
        }
    }
}

/// A worker that hosts what all workloads share; in a cluster, where a workflow has many inboxes,
/// only what this one needs.
async fn worker(options: &Options, place: &Place) -> Result<Worker, Failed> {
    let mut worker = match &place.cluster {
        Some(cluster) => cluster.worker(options).await?,
        None if options.backend == Backend::Memory => Worker::in_memory(),
        None => Worker::embedded(&place.path)?,
    };
    if let Some(retention) = options.retention {
        worker = worker.retention(retention);
    }
    if let Some(shards) = options.shards {
        worker = worker.shards(shards);
    }
    let worker = worker.service(echo);
    if place.cluster.is_none() {
        return Ok(worker
            .workflow(two_tasks)
            .workflow(fan_out)
            .workflow(sequence)
            .workflow(wait_for));
    }
    Ok(match options.hosts {
        Workload::FanOut => worker.workflow(fan_out),
        Workload::Sequence => worker.workflow(sequence),
        Workload::Timers => worker.workflow(wait_for),
        Workload::Fill | Workload::Recover => worker.workflow(two_tasks).workflow(wait_for),
        _ => worker.workflow(two_tasks),
    })
}

/// Runs a worker while `measure` runs, and gives what that gave.
async fn while_running<T>(
    worker: Worker,
    measure: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    let mut measured = None;
    worker
        .run_until(async { measured = Some(measure.await) })
        .await?;
    measured.unwrap_or_else(|| Err("the worker stopped before the run had ended".into()))
}
