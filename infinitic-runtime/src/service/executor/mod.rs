//! Runs attempts of tasks and steps: so many at a time for each service, each on its own.
//!
//! [`Executor::dispatch`] is called by a plain thread with what has become durable, and must be
//! cheap. How one attempt runs (time limit, cancelling, panics, retries) is in `attempt`; the limit
//! and the queue of a service are its `lane`; what nobody here hosts is in `waiting`. Queues live
//! in memory only: each attempt is durable in its instance's history, and given out again after a
//! crash.

mod attempt;
mod lane;
mod running;
mod spot;
#[cfg(test)]
mod tests;
mod trust;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use infinitic_core::names::{ServiceName, StepName, TaskName, WorkflowName};
use infinitic_core::{Attempt, CommandId, InstanceId, Message, Sequence, StepAttempt, TaskAttempt};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

use super::hosted::HostedTask;
use super::task::{Stop, TaskContext, Work};
use super::{HostedServices, TaskPolicy};
use crate::contract::TaskFuture;
use attempt::{Code, Job};
use lane::Lane;
use running::Running;
#[doc(hidden)]
pub use spot::{Ended, SpotExecutor};
use trust::Trust;
pub use waiting::WaitingTasks;
use waiting::{Missing, Waiting};

/// Attempts of one service that run at a time, unless told otherwise. Most tasks wait for
/// something: enough to keep a machine busy, few enough not to overrun what they call.
const PER_SERVICE: usize = 64;
/// Steps that run at a time, unless told otherwise: they have no service that could be overrun.
const STEPS: usize = 256;
/// Attempts that one spawned future runs without giving way to others on its thread.
const RUN_WITHOUT_YIELD: u32 = 32;
/// Names of steps whose behaviour is remembered. Names may be computed, so there is a bound.
const STEPS_KNOWN_MAX: usize = 1_024;
/// Time in which dropped attempts are expected to be gone; those that block a thread are not.
const DROPPED_WITHIN: Duration = Duration::from_millis(500);

/// Gives the end of an attempt to its instance. Called by the threads of the runtime.
pub type OutcomeSink = Arc<dyn Fn(InstanceId, Message) + Send + Sync>;

/// A step: each call gives the future of one attempt.
pub type StepWork = Arc<dyn Fn() -> TaskFuture + Send + Sync>;

/// How many attempts run at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Of each service that is not named below.
    pub default: usize,
    /// Of all steps together.
    pub steps: usize,
    /// Of single services, by their name on the wire.
    pub services: BTreeMap<String, usize>,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            default: PER_SERVICE,
            steps: STEPS,
            services: BTreeMap::new(),
        }
    }
}

/// Runs attempts of tasks and steps. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    handle: Handle,
    worker: Arc<str>,
    outcome: OutcomeSink,
    services: HashMap<ServiceName, HostedService>,
    steps: Arc<Lane>,
    step_trusts: Mutex<HashMap<(WorkflowName, StepName), Arc<Trust>>>,
    running: Running,
    waiting: Waiting,
    /// Whether the runtime has threads that can take over from a blocked one.
    may_block: bool,
    draining: AtomicBool,
    ended: Notify,
}

struct HostedService {
    lane: Arc<Lane>,
    tasks: HashMap<TaskName, (Arc<HostedTask>, Arc<Trust>)>,
}

impl Executor {
    /// Runs the tasks of the hosted services on a runtime, and gives the ends of attempts to
    /// `outcome`.
    ///
    /// On a multi-thread runtime, a service that blocks its thread keeps only itself from going on.
    #[must_use]
    pub fn new(
        handle: Handle,
        hosted: HostedServices,
        worker: &str,
        concurrency: &Concurrency,
        outcome: OutcomeSink,
    ) -> Self {
        let services = hosted.into_services().into_iter().map(|(name, tasks)| {
            let limit = concurrency.services.get(name.as_str()).copied();
            let tasks = tasks
                .into_iter()
                .map(|(name, task)| (name, (task, Arc::default())));
            let service = HostedService {
                lane: Arc::new(Lane::new(limit.unwrap_or(concurrency.default))),
                tasks: tasks.collect(),
            };
            (name, service)
        });
        let shared = Shared {
            services: services.collect(),
            may_block: handle.runtime_flavor() == RuntimeFlavor::MultiThread,
            handle,
            worker: Arc::from(worker),
            outcome,
            steps: Arc::new(Lane::new(concurrency.steps)),
            step_trusts: Mutex::default(),
            running: Running::default(),
            waiting: Waiting::default(),
            draining: AtomicBool::new(false),
            ended: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes attempts that have become durable: starts them, queues them behind their service's
    /// limit, or keeps a note of them when nobody here hosts their task.
    ///
    /// An attempt that is here already is ignored; another attempt of the same task takes its
    /// place.
    pub fn dispatch<A: Into<Box<TaskAttempt>>>(&self, attempts: impl IntoIterator<Item = A>) {
        let mut starts = Vec::new();
        for attempt in attempts {
            let attempt = attempt.into();
            let Some((lane, task, trust)) = self.shared.find(&attempt) else {
                continue;
            };
            let context = TaskContext::new(Work::Task(attempt), Arc::clone(&self.shared.worker));
            let job = Job {
                context: Arc::new(context),
                policy: task.policy,
                code: Code::Task(task),
                trust,
            };
            starts.extend(self.shared.admit(lane, job));
        }
        self.shared.start(starts);
    }

    /// Runs one attempt of a step, with the same care as a task's.
    pub fn run_step(
        &self,
        attempt: impl Into<Box<StepAttempt>>,
        work: StepWork,
        policy: TaskPolicy,
    ) {
        let attempt = attempt.into();
        let trust = self.shared.step_trust(&attempt);
        let context = TaskContext::new(Work::Step(attempt), Arc::clone(&self.shared.worker));
        let job = Job {
            context: Arc::new(context),
            policy,
            code: Code::Step(work),
            trust,
        };
        let start = self.shared.admit(&self.shared.steps, job);
        self.shared.start(start.into_iter().collect());
    }

    /// The task or step is no longer wanted: its attempt is told, has its grace period, and sends
    /// no outcome. One that is not here, or has ended, is left alone.
    pub fn cancel(&self, id: CommandId) {
        if let Some(context) = self.shared.running.remove_id(id) {
            context.control.raise(Stop::Cancelled);
        }
        self.shared.waiting.remove(id);
    }

    /// The same for attempts up to a number only: a newer one goes on.
    pub(crate) fn cancel_up_to(&self, id: CommandId, sequence: Sequence, attempt: Attempt) {
        if let Some(context) = self.shared.running.remove_up_to(id, (sequence, attempt)) {
            context.control.raise(Stop::Cancelled);
        }
        self.shared.waiting.remove(id);
    }

    /// What waits because no worker here hosts it, by service and task.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingTasks> {
        self.shared.waiting.list()
    }

    /// Whether a task is hosted here.
    #[must_use]
    pub fn hosts(&self, service: &ServiceName, task: &TaskName) -> bool {
        let service = self.shared.services.get(service);
        service.is_some_and(|service| service.tasks.contains_key(task))
    }

    /// The services of which tasks are hosted here, with how many attempts run at a time.
    #[must_use]
    pub fn services(&self) -> Vec<(ServiceName, usize)> {
        let services = self.shared.services.iter();
        services
            .map(|(name, service)| (name.clone(), service.lane.limit()))
            .collect()
    }

    /// How long one more attempt of a service would wait for its start; the longest time when that
    /// cannot be told, or it is not hosted here.
    #[must_use]
    pub fn wait(&self, service: &ServiceName) -> Duration {
        let service = self.shared.services.get(service);
        service.map_or(Duration::MAX, |service| service.lane.wait())
    }

    /// How many attempts run or are queued here.
    #[must_use]
    pub fn load(&self) -> usize {
        self.shared.running.len()
    }

    /// Starts nothing more, waits until what runs has ended, but no longer than `grace`, and drops
    /// the rest. Gives the number of dropped attempts; they, and those in queues, send no outcome,
    /// and are given out again by the next worker.
    ///
    /// The future may be awaited on any runtime.
    pub fn drain(&self, grace: Duration) -> impl Future<Output = usize> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let drained = self
            .shared
            .handle
            .spawn(async move { shared.drain(grace).await });
        // The runtime is gone, and all attempts with it.
        async move { drained.await.unwrap_or(0) }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("worker", &self.shared.worker)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The lane and code of a task; none, after a note was taken, if nobody here hosts it.
    fn find(&self, attempt: &TaskAttempt) -> Option<(&Arc<Lane>, Arc<HostedTask>, Arc<Trust>)> {
        let Some(service) = self.services.get(&attempt.service) else {
            self.waiting.add(attempt, Missing::Service);
            return None;
        };
        let Some((task, trust)) = service.tasks.get(&attempt.task) else {
            self.waiting.add(attempt, Missing::Task);
            return None;
        };
        Some((&service.lane, Arc::clone(task), Arc::clone(trust)))
    }

    fn step_trust(&self, step: &StepAttempt) -> Arc<Trust> {
        let mut trusts = self
            .step_trusts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if trusts.len() >= STEPS_KNOWN_MAX {
            trusts.clear();
        }
        let key = (step.workflow.clone(), step.name.clone());
        Arc::clone(trusts.entry(key).or_default())
    }

    /// Registers an attempt; gives it back with its lane when it can start at once.
    fn admit(&self, lane: &Arc<Lane>, job: Job) -> Option<(Arc<Lane>, Job)> {
        if self.draining.load(Ordering::SeqCst) || !self.running.insert(&job.context) {
            return None;
        }
        let job = lane.admit(job)?;
        Some((Arc::clone(lane), job))
    }

    /// Starts attempts that have a place in their lane. Several are spawned by one of the runtime's
    /// own threads, where that costs a fraction of what it does from outside.
    fn start(self: &Arc<Self>, mut starts: Vec<(Arc<Lane>, Job)>) {
        if starts.len() > 1 {
            let shared = Arc::clone(self);
            self.handle.spawn(async move {
                for (lane, job) in starts {
                    tokio::spawn(work(Arc::clone(&shared), lane, job));
                }
            });
        } else if let Some((lane, job)) = starts.pop() {
            self.handle.spawn(work(Arc::clone(self), lane, job));
        }
    }

    fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        let services = self.services.values().map(|service| &service.lane);
        services.chain([&self.steps])
    }

    async fn drain(&self, grace: Duration) -> usize {
        self.draining.store(true, Ordering::SeqCst);
        for queued in self.lanes().flat_map(|lane| lane.close()) {
            self.running.remove(&queued.context);
        }
        if tokio::time::timeout(grace, self.all_ended()).await.is_ok() {
            return 0;
        }
        let dropped = self.running.all();
        for context in &dropped {
            context.control.raise(Stop::Abandoned);
        }
        // One that blocks its thread cannot be dropped: the process ends with it.
        let _ = tokio::time::timeout(DROPPED_WITHIN, self.all_ended()).await;
        dropped.len()
    }

    async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.lanes().all(|lane| lane.is_idle()) {
                return;
            }
            ended.await;
        }
    }
}

/// A place in a lane. It is given back when nothing is queued, or handed on when the future that
/// holds it is dropped by something else than its own end.
struct Place {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    held: bool,
}

impl Place {
    /// The next queued job; none gives the place back.
    fn next(&mut self) -> Option<Job> {
        let next = self.lane.take_or_leave();
        self.held = next.is_some();
        if !self.held && self.shared.draining.load(Ordering::SeqCst) {
            self.shared.ended.notify_waiters();
        }
        next
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        if let Some(job) = self.next() {
            self.shared.start(vec![(Arc::clone(&self.lane), job)]);
        }
    }
}

/// Runs an attempt, and then those that are queued in the same lane.
async fn work(shared: Arc<Shared>, lane: Arc<Lane>, job: Job) {
    let mut place = Place {
        shared,
        lane,
        held: true,
    };
    let mut next = Some(job);
    let mut count = 0;
    while let Some(job) = next {
        let since = crate::clock::monotonic();
        attempt::run(&place.shared, job).await;
        place.lane.took(since.elapsed());
        count += 1;
        if count % RUN_WITHOUT_YIELD == 0 {
            tokio::task::yield_now().await;
        }
        next = place.next();
    }
}
