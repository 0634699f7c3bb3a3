//! The services and workflows that are measured. Their tasks do nothing: what is left is our own
//! cost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use infinitic::prelude::*;

/// A task that does nothing: a short string in, a short string out.
#[service]
pub(crate) async fn echo(text: String) -> String {
    text
}

/// W2: two tasks, one after the other.
#[workflow]
pub(crate) async fn two_tasks(text: String) -> Result<String> {
    let once = new_service::<echo>().echo(text).await?;
    Ok(new_service::<echo>().echo(once).await?)
}

/// F: many tasks at once.
#[workflow]
pub(crate) async fn fan_out(tasks: u32) -> Result<usize> {
    let stub = new_service::<echo>();
    let calls: Vec<_> = (0..tasks)
        .map(|n| stub.echo(format!("item {n}")).dispatch())
        .collect();
    Ok(all(calls).await?.len())
}

/// The task of a sequence: notes when it was called.
#[derive(Clone, Default)]
pub(crate) struct Clocked {
    calls: Arc<Mutex<Vec<Instant>>>,
}

impl Clocked {
    /// The times of the calls so far; forgets them.
    pub(crate) fn take(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[service]
pub(crate) trait Clock {
    async fn tick(&self, text: String) -> String;
}

#[service]
impl Clock for Clocked {
    async fn tick(&self, text: String) -> String {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Instant::now());
        text
    }
}

/// S: many tasks in a row.
#[workflow]
pub(crate) async fn sequence(steps: u32) -> Result<u32> {
    let stub = new_service::<ClockStub>();
    for _ in 0..steps {
        stub.tick("a step".to_owned()).await?;
    }
    Ok(steps)
}

/// T: a timer. Gives when it was due, and when the code went on, in milliseconds since the epoch.
#[workflow]
pub(crate) async fn wait_for(millis: u64) -> (u64, u64) {
    let due = now() + Duration::from_millis(millis);
    timer_at(due).await;
    (due.as_millis(), now().as_millis())
}

/// R: a task that ends only after the restart.
#[derive(Clone)]
pub(crate) struct Gatekeeper {
    /// Whether calls end.
    pub(crate) open: bool,
    passed: Arc<Passed>,
}

/// Instances that went on after the restart.
#[derive(Debug)]
struct Passed {
    count: AtomicU64,
    expected: u64,
    first: Mutex<Option<Instant>>,
    all: tokio::sync::Notify,
}

impl Gatekeeper {
    /// Closed before the crash, open after it; `expected` instances come through.
    pub(crate) fn new(open: bool, expected: u64) -> Self {
        let passed = Passed {
            count: AtomicU64::new(0),
            expected,
            first: Mutex::new(None),
            all: tokio::sync::Notify::new(),
        };
        Self {
            open,
            passed: Arc::new(passed),
        }
    }

    /// Waits until all have gone on; gives the times of the first and the last.
    pub(crate) async fn all_passed(&self) -> (Instant, Instant) {
        self.passed.all.notified().await;
        let last = Instant::now();
        let first = *self
            .passed
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (first.unwrap_or(last), last)
    }
}

#[service]
pub(crate) trait Gate {
    async fn pass(&self);
    async fn passed(&self);
}

#[service]
impl Gate for Gatekeeper {
    async fn pass(&self) {
        if !self.open {
            std::future::pending::<()>().await;
        }
    }

    async fn passed(&self) {
        let passed = &self.passed;
        let before = passed.count.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            let mut first = passed.first.lock().unwrap_or_else(PoisonError::into_inner);
            *first = Some(Instant::now());
        }
        if before + 1 == passed.expected {
            passed.all.notify_one();
        }
    }
}

/// R: waits at the gate, then says that it has gone on.
#[workflow]
pub(crate) async fn wait_at_gate(number: u64) -> Result<u64> {
    let gate = new_service::<GateStub>();
    gate.pass().await?;
    gate.passed().await?;
    Ok(number)
}
