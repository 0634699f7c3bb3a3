//! Attempts run on the spot, without a runtime and a clock: for simulations, which decide how long
//! an attempt takes. What an attempt means (panics, time limit, the next attempt) is decided by the
//! same code as in a worker.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use infinitic_core::names::ServiceName;
use infinitic_core::{Message, StepAttempt, TaskAttempt};

use super::attempt::{Code, Guarded, Job, timed_out, told};
use crate::service::HostedServices;
use crate::service::hosted::HostedTasks;
use crate::service::task::{TaskContext, Work};
use crate::workflow::StepJob;

/// Runs attempts on the spot.
#[doc(hidden)]
pub struct SpotExecutor {
    services: HashMap<ServiceName, HostedTasks>,
    worker: Arc<str>,
}

/// The end of an attempt.
#[doc(hidden)]
#[derive(Debug)]
pub struct Ended {
    /// How long it took, its time limit considered.
    pub took: Duration,
    /// What its instance is told.
    pub message: Message,
}

impl std::fmt::Debug for SpotExecutor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpotExecutor")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl SpotExecutor {
    /// Runs the tasks of the hosted services.
    #[must_use]
    pub fn new(hosted: HostedServices, worker: &str) -> Self {
        Self {
            services: hosted.into_services(),
            worker: Arc::from(worker),
        }
    }

    /// Runs an attempt that takes so long; none when its task is not hosted.
    ///
    /// # Panics
    /// When its code waits for something.
    #[must_use]
    pub fn task(&self, attempt: TaskAttempt, took: Duration) -> Option<Ended> {
        let task = self.services.get(&attempt.service)?.get(&attempt.task)?;
        let job = Job {
            context: self.context(Work::Task(Box::new(attempt))),
            policy: task.policy,
            code: Code::Task(Arc::clone(task)),
            trust: Arc::default(),
        };
        Some(run(&job, took))
    }

    /// Runs an attempt of a step that takes so long.
    ///
    /// # Panics
    /// When its code waits for something.
    #[must_use]
    pub fn step(&self, attempt: StepAttempt, step: &StepJob, took: Duration) -> Ended {
        run(
            &Job {
                context: self.context(Work::Step(Box::new(attempt))),
                policy: step.policy,
                code: Code::Step(Arc::clone(&step.run)),
                trust: Arc::default(),
            },
            took,
        )
    }

    fn context(&self, work: Work) -> Arc<TaskContext> {
        Arc::new(TaskContext::new(work, Arc::clone(&self.worker)))
    }
}

fn run(job: &Job, took: Duration) -> Ended {
    let mut context = Context::from_waker(Waker::noop());
    let polled = pin!(Guarded::new(job, false)).poll(&mut context);
    let Poll::Ready(ended) = polled else {
        panic!("the code of a simulated task or step must not wait: it is run on the spot")
    };
    match job.policy.timeout() {
        Some(limit) if took >= limit => Ended {
            took: took.min(limit + job.policy.grace()),
            message: told(job, Err(timed_out(&job.policy))),
        },
        _ => Ended {
            took,
            message: told(job, ended),
        },
    }
}
