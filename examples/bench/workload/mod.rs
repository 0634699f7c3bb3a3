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
use crate::flows::{echo, fan_out, sequence, two_tasks, wait_for};
use crate::measure::Report;
use crate::options::{Backend, Options, Workload};

/// Runs what the options ask for; nothing is to be printed when another process has printed it.
pub(crate) async fn run(options: &Options, begin: Instant) -> Result<Option<Report>, Failed> {
    let place = Place::new(options)?;
    let report = match options.workload {
        Workload::TwoTasks => many::run(options, &place).await?,
        Workload::FanOut => tasks::fan_out(options, &place).await?,
        Workload::Sequence => tasks::sequence(options, &place).await?,
        Workload::Timers => timers::run(options, &place).await?,
        Workload::Recovery => {
            recovery::run(options, &place)?;
            return Ok(None);
        }
        Workload::Fill => return recovery::fill(options, &place).await,
        Workload::Recover => recovery::recover(options, &place, begin).await?,
        Workload::Floor => floor::run(options, &place)?,
    };
    Ok(Some(Report {
        workload: options.workload.name(),
        backend: options.backend.name(),
        ..report
    }))
}

/// The directory of the embedded store.
pub(crate) struct Place {
    path: PathBuf,
    /// Ours, and of no use afterwards.
    remove: bool,
}

impl Place {
    fn new(options: &Options) -> std::io::Result<Self> {
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
        Ok(Self { path, remove })
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

/// A worker that hosts what all workloads share.
fn worker(options: &Options, place: &Place) -> Result<Worker, Failed> {
    let mut worker = match options.backend {
        Backend::Embedded => Worker::embedded(&place.path)?,
        Backend::Memory => Worker::in_memory(),
    };
    if let Some(retention) = options.retention {
        worker = worker.retention(retention);
    }
    if let Some(shards) = options.shards {
        worker = worker.shards(shards);
    }
    Ok(worker
        .service(echo)
        .workflow(two_tasks)
        .workflow(fan_out)
        .workflow(sequence)
        .workflow(wait_for))
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
