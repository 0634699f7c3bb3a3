//! The second worker: another process of this program, which tells over a pipe what it has cost,
//! and ends when the pipe is closed, so that it never outlives the run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use infinitic::prelude::*;

use super::cost::Traffic;
use super::processes::Process;
use crate::Failed;
use crate::options::Options;

/// A worker in another process.
pub(crate) struct Helper {
    process: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts one in the cluster of that name.
    pub(crate) fn start(options: &Options, name: &str) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("worker")
            .args(["--backend", options.backend.name()])
            .args(["--host", options.workload.name()])
            .args(["--name", name]);
        if options.tasks_away {
            command.arg("--tasks-away");
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = process.stdin.take();
        let answers = process.stdout.take().ok_or("the worker has no output")?;
        Ok(Self {
            process,
            ask,
            answers: BufReader::new(answers),
        })
    }

    fn traffic(&mut self) -> Result<Traffic, Failed> {
        let ask = self.ask.as_mut().ok_or("the worker was stopped")?;
        writeln!(ask, "traffic")?;
        ask.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    fn stop(mut self) {
        // It sees the end of its input.
        drop(self.ask.take());
        if let Err(error) = self.process.wait() {
            eprintln!("the other worker was not waited for: {error}");
        }
    }
}

/// The workers in other processes.
#[derive(Clone, Default)]
pub(crate) struct Helpers(Arc<Mutex<Vec<Helper>>>);

impl Helpers {
    fn lock(&self) -> MutexGuard<'_, Vec<Helper>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, helper: Helper) {
        self.lock().push(helper);
    }

    /// What each has cost so far.
    pub(crate) fn traffic(&self) -> Vec<Traffic> {
        let mut helpers = self.lock();
        let told = helpers.iter_mut().map(|helper| match helper.traffic() {
            Ok(traffic) => traffic,
            Err(error) => {
                eprintln!("the other worker does not tell what it has cost: {error}");
                Traffic::default()
            }
        });
        told.collect()
    }

    /// CPU seconds of all of them.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let helpers = self.lock();
        let each = helpers
            .iter()
            .map(|it| Process(it.process.id()).cpu_seconds());
        each.sum()
    }

    /// Ends them in order.
    pub(crate) fn stop(&self) {
        let helpers = std::mem::take(&mut *self.lock());
        helpers.into_iter().for_each(Helper::stop);
    }
}

/// The other process's side: runs the worker until the pipe is closed.
pub(crate) async fn serve(worker: Worker) -> Result<(), Failed> {
    let meter = worker.store_meter();
    let (ends, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            let line = serde_json::to_string(&Traffic::of(&meter)).unwrap_or_default();
            if writeln!(std::io::stdout(), "{line}").is_err() {
                break;
            }
        }
        ends.send(()).ok();
    });
    worker
        .run_until(async {
            ended.await.ok();
        })
        .await?;
    Ok(())
}
