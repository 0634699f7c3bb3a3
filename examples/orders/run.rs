//! The main job: starts a workflow for each order and waits until all have ended.

use std::path::Path;
use std::time::Duration;

use infinitic::prelude::*;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::fulfil::fulfil;
use crate::ledger::{self, Ledger, Line};
use crate::notebook::{Notebook, Notes};
use crate::order::{Order, OrderError, OrderId, Outcome, Parcel};
use crate::progress::Progress;
use crate::services::{Carrier, FlakyBank, Warehouse};

/// Orders that are open at the same time: enough to keep a machine busy, few enough to watch.
const IN_FLIGHT: usize = 1000;
/// Free places for which new orders are started: one sync of the notebook covers them all.
const STARTED_AT_ONCE: usize = IN_FLIGHT / 4;
/// How long the store keeps results: the audit and a later restart want to read them.
pub const RETENTION: Duration = Duration::from_hours(365 * 24);
/// A worker refuses a first start under an id older than a day; ids older than this are looked up.
const OLD: Duration = Duration::from_hours(12);

/// Pause before workers are asked again that could not be reached.
const AGAIN: Duration = Duration::from_secs(1);

/// What the worker told about an order.
enum Told {
    Started(OrderId),
    Ended(OrderId, Outcome),
    Failed(OrderId, String),
}

/// The worker of a data directory, with nothing hosted.
pub fn open_worker(data: &Path) -> Result<Worker> {
    std::fs::create_dir_all(data)
        .map_err(|error| Error::msg(format!("{} cannot be created: {error}", data.display())))?;
    Ok(Worker::embedded(data.join("store"))?.retention(RETENTION))
}

/// Fulfils orders until all have ended or a signal comes. Answers whether all have.
pub async fn run(data: &Path, orders: Vec<Order>) -> Result<(bool, String)> {
    // The worker first: it locks the directory, and the other files belong to whoever has it.
    let worker = open_worker(data)?;
    let mut job = Job::new(worker.client(), data, &orders)?;
    let ledger = Ledger::open(data)?;
    let worker = host(worker, &ledger);
    let mut result = Ok(());
    // From here on: a signal may come while the worker recovers.
    let signal = shutdown_signal();
    worker
        .run_until(async {
            tokio::select! {
                done = job.run(orders) => result = done,
                () = signal => {}
            }
        })
        .await?;
    ledger.end()?;
    job.end(result, data)
}

/// Hosts what an order needs.
pub fn host(worker: Worker, ledger: &Ledger) -> Worker {
    worker
        .service(Warehouse(ledger.clone()))
        .service(FlakyBank(ledger.clone()))
        .service(Carrier(ledger.clone()))
        .workflow(fulfil)
}

/// An order that has been started may not change: its instance goes on with what it was given.
fn same_orders(orders: &[Order], notes: &Notes, data: &Path) -> Result<()> {
    let changed = |order: &&Order| {
        notes
            .get(&order.id)
            .is_some_and(|noted| noted.digest != order.digest())
    };
    match orders.iter().find(changed) {
        None => Ok(()),
        Some(order) => Err(Error::msg(format!(
            "order `{}` was started in {} with other contents; give it another `id`, or choose \
             another directory with --data",
            order.id,
            data.display()
        ))),
    }
}

/// Attempts after the first one of a task, in all sessions.
fn count_retries(data: &Path) -> Result<usize> {
    let retries: std::collections::BTreeSet<(String, u32)> = ledger::read(data)?
        .into_iter()
        .flat_map(|found| found.lines)
        .filter_map(|line| match line {
            Line::Entry(entry) if entry.attempt > 0 => Some((entry.task, entry.attempt)),
            _ => None,
        })
        .collect();
    Ok(retries.len())
}

/// What starts orders and waits for them.
pub struct Job {
    client: Client,
    notebook: Notebook,
    progress: Progress,
    /// One for each open order; dropped with the job.
    tasks: JoinSet<()>,
}

impl Job {
    /// Opens the notebook of a data directory, and compares the orders with it.
    pub fn new(client: Client, data: &Path, orders: &[Order]) -> Result<Self> {
        let notebook = Notebook::open(data)?;
        same_orders(orders, notebook.notes(), data)?;
        Ok(Self {
            client,
            notebook,
            progress: Progress::new(orders.len()),
            tasks: JoinSet::new(),
        })
    }

    /// Whether all orders have ended, and what became of them.
    pub fn end(&mut self, result: Result<()>, data: &Path) -> Result<(bool, String)> {
        self.progress.finish();
        result?;
        let retries = count_retries(data)?;
        Ok((self.progress.is_complete(), self.progress.summary(retries)))
    }

    /// Starts orders and waits until all have ended.
    pub async fn run(&mut self, orders: Vec<Order>) -> Result<()> {
        let orders = self.look_up(orders).await?;
        let mut orders = orders.into_iter().peekable();
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut news = Vec::new();
        let mut open = 0;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !self.progress.is_complete() {
            if open + STARTED_AT_ONCE <= IN_FLIGHT && orders.peek().is_some() {
                let next: Vec<Order> = orders.by_ref().take(IN_FLIGHT - open).collect();
                open += next.len();
                self.start(next, &tell)?;
            }
            tokio::select! {
                _ = told.recv_many(&mut news, IN_FLIGHT) => open -= self.note(&mut news)?,
                _ = tick.tick() => {}
            }
            self.progress.tick();
        }
        Ok(())
    }

    /// Counts the orders that have ended already, and gives those that have not.
    async fn look_up(&mut self, orders: Vec<Order>) -> Result<Vec<Order>> {
        let now = Timestamp::from_millis(
            u64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis()).unwrap_or(u64::MAX),
        );
        let mut open = Vec::new();
        for order in orders {
            if let Some(noted) = self.notebook.notes().get(&order.id).cloned() {
                if let Some(outcome) = noted.outcome {
                    self.progress.ended_before(&outcome);
                    continue;
                }
                let is_old = now.since(noted.instance.drawn_at()) > OLD;
                if is_old && !noted.started && !self.exists(noted.instance).await? {
                    self.notebook.forget(&order.id);
                }
            }
            open.push(order);
        }
        Ok(open)
    }

    async fn exists(&self, id: InstanceId) -> Result<bool> {
        match self.client.get_workflow_by_id::<fulfil>(id).state().await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused(failure)) if failure.kind == FailureKind::UnknownInstance => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Starts orders, or goes on waiting for those that were started before.
    fn start(&mut self, orders: Vec<Order>, tell: &mpsc::UnboundedSender<Told>) -> Result<()> {
        let new: Vec<(&Order, InstanceId)> = orders
            .iter()
            .filter(|order| !self.notebook.notes().contains_key(&order.id))
            .map(|order| (order, self.client.draw_id()))
            .collect();
        if !new.is_empty() {
            self.notebook.starting(&new)?;
        }
        for order in orders {
            let noted = &self.notebook.notes()[&order.id];
            let (id, started) = (noted.instance, noted.started);
            let (client, tell) = (self.client.clone(), tell.clone());
            self.tasks.spawn(async move {
                let number = order.id.clone();
                let run = if started {
                    // Acknowledged before: starting it again could only hide that it was lost.
                    client.attach(id)
                } else {
                    match dispatch(&client, id, order).await {
                        Ok(run) => run,
                        Err(error) => {
                            return drop(tell.send(Told::Failed(number, error.to_string())));
                        }
                    }
                };
                drop(tell.send(Told::Started(number.clone())));
                drop(tell.send(end(number, run).await));
            });
        }
        Ok(())
    }

    /// Writes down what the worker told. Answers how many orders have ended.
    fn note(&mut self, news: &mut Vec<Told>) -> Result<usize> {
        let (mut started, mut ended) = (Vec::new(), Vec::new());
        for told in news.drain(..) {
            match told {
                Told::Started(order) if self.notebook.notes()[&order].started => {}
                Told::Started(order) => started.push(order),
                Told::Ended(order, outcome) => {
                    self.progress.ended(&outcome);
                    ended.push((order, outcome));
                }
                Told::Failed(order, error) => {
                    return Err(Error::msg(format!("order `{order}`: {error}")));
                }
            }
        }
        self.notebook.started(&started)?;
        self.notebook.ended(&ended)?;
        while self.tasks.try_join_next().is_some() {}
        Ok(ended.len())
    }
}

/// Starts an order. Whoever cannot be reached is asked again: under the same id it is one start.
async fn dispatch(
    client: &Client,
    id: InstanceId,
    order: Order,
) -> Result<Run<Parcel, OrderError>, ClientError> {
    loop {
        let proxy = client.new_workflow::<fulfil>().with_id(id);
        match proxy.fulfil(order.clone()).dispatch().await {
            Err(ClientError::Unreachable { .. }) => tokio::time::sleep(AGAIN).await,
            answered => return answered,
        }
    }
}

/// Waits for the end of an order.
async fn end(order: OrderId, run: Run<Parcel, OrderError>) -> Told {
    match run.await {
        Err(failure) if failure.kind() == FailureKind::UnknownInstance => {
            let text = format!(
                "it was started, but the store does not know it any more ({failure}); run `audit`"
            );
            Told::Failed(order, text)
        }
        result => Told::Ended(order, Outcome::of(result)),
    }
}
