//! A service that does what each test needs, and an executor with all that comes out of it.

use std::sync::mpsc as sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infinitic_core::names::{ServiceName, TaskName, WorkflowName};
use infinitic_core::{
    Attempt, AttemptResult, CallOptions, CommandId, FailureRecord, InstanceId, Message, Payload,
    Position, Reopening, RunNo, Sequence, TaskAttempt, Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::contract::{
    ArgReader, ServiceContract, TaskContract, TaskFuture, Undecodable, finish_result, finish_value,
};
use crate::error_codec;
use crate::failure::{Failure, RetryHint, TaskError};
use crate::service::{
    Concurrency, Executor, ExponentialRetry, HostedServices, RetryPolicy, RetrySetting, Service,
    TaskHandler, TaskPolicy, task,
};

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum BankError {
    #[error("bank busy")]
    Busy,
    #[error("declined")]
    Declined,
}

impl TaskError for BankError {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Busy => RetryHint::AfterMs(70),
            Self::Declined => RetryHint::Never,
        }
    }
}

/// A service that does what each test needs.
pub(super) struct Bank {
    pub(super) gate: Arc<Semaphore>,
    pub(super) told: mpsc::UnboundedSender<String>,
    pub(super) unblock: Mutex<sync_channel::Receiver<()>>,
}

struct OnlyBusy;

impl RetryPolicy for OnlyBusy {
    fn delay(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        assert!(attempt < 5, "the policy gives up");
        let previous = failure.previous().len() as u64;
        Some(Duration::from_millis(1000 + previous))
    }
}

pub(super) const RETRY: TaskPolicy = TaskPolicy {
    retry: RetrySetting::Exponential(ExponentialRetry {
        max_attempts: 3,
        initial_ms: 100,
        max_ms: None,
        jitter: 0.0,
        coefficient: 2.0,
    }),
    timeout_ms: Some(2_000),
    grace_ms: Some(1_000),
};
pub(super) const NO_RETRY: TaskPolicy = TaskPolicy {
    retry: RetrySetting::Unset,
    timeout_ms: None,
    grace_ms: None,
};
const CUSTOM: TaskPolicy = TaskPolicy {
    retry: RetrySetting::Custom(|| Box::new(OnlyBusy)),
    timeout_ms: None,
    grace_ms: None,
};

type Run = fn(Arc<Bank>, &Payload) -> Result<TaskFuture, Undecodable>;

/// Tells when it is dropped, which may be in the middle of a wait.
struct Dropped(mpsc::UnboundedSender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(format!("dropped {}", task::id().position));
    }
}

const TASKS: &[(&str, TaskPolicy, Run)] = &[
    ("double", NO_RETRY, |_, args| {
        let value = ArgReader::new(args, 1)?.next::<u32>("value")?;
        Ok(Box::pin(async move { finish_value(value * 2) }))
    }),
    ("busy", RETRY, |_, _| {
        Ok(Box::pin(async {
            finish_result(Err::<(), _>(BankError::Busy), error_codec!(BankError))
        }))
    }),
    ("declined", RETRY, |_, _| {
        let error = Err::<(), _>(BankError::Declined);
        Ok(Box::pin(async {
            finish_result(error, error_codec!(BankError))
        }))
    }),
    ("panics", RETRY, |_, _| {
        Ok(Box::pin(async { panic!("boom") }))
    }),
    ("custom", CUSTOM, |_, _| {
        Ok(Box::pin(async { panic!("boom") }))
    }),
    ("hangs", RETRY, |bank, _| {
        Ok(Box::pin(async move {
            let _dropped = Dropped(bank.told.clone());
            let _ = bank.told.send("begun".to_owned());
            task::cancelled().await;
            let _ = bank.told.send("cancelled".to_owned());
            std::future::pending::<()>().await;
            finish_value(())
        }))
    }),
    ("polite", RETRY, |bank, _| {
        Ok(Box::pin(async move {
            let _ = bank.told.send("begun".to_owned());
            task::spawn(task::cancelled())
                .await
                .expect("it does not panic");
            assert!(task::is_cancelled());
            finish_value(())
        }))
    }),
    ("gated", NO_RETRY, |bank, _| {
        Ok(Box::pin(async move {
            let _ = bank.told.send(format!("begun {}", task::id().position));
            bank.gate.acquire().await.expect("the gate stays").forget();
            finish_value(())
        }))
    }),
    ("blocks", NO_RETRY, |bank, _| {
        Ok(Box::pin(async move {
            let _ = bank.told.send("begun".to_owned());
            let unblock = bank.unblock.lock().expect("one at a time");
            unblock.recv().expect("the test unblocks it");
            finish_value(())
        }))
    }),
    ("context", NO_RETRY, |_, _| {
        Ok(Box::pin(async {
            let seen = (
                (
                    task::id().to_string(),
                    task::service().to_string(),
                    task::name().to_string(),
                ),
                (
                    task::workflow_id().to_string(),
                    task::workflow_name().to_string(),
                ),
                (task::attempt(), task::retry_sequence(), task::worker()),
                (
                    task::tags(),
                    task::meta(),
                    task::batch_key(),
                    task::is_cancelled(),
                ),
                task::last_error().map(|failure| failure.to_string()),
            );
            finish_value(seen)
        }))
    }),
];

static CONTRACT: ServiceContract = ServiceContract {
    name: "Bank",
    tasks: &{
        const NONE: TaskContract = TaskContract {
            method: "",
            name: "",
            arguments: &[],
            timeout_ms: None,
        };
        let mut tasks = [NONE; TASKS.len()];
        let mut i = 0;
        while i < tasks.len() {
            tasks[i].method = TASKS[i].0;
            tasks[i].name = TASKS[i].0;
            i += 1;
        }
        tasks
    },
};

impl Service<()> for Bank {
    fn contract() -> &'static ServiceContract {
        &CONTRACT
    }

    fn tasks() -> Vec<TaskHandler<Self>> {
        let handler = |&(method, policy, run): &(_, _, Run)| TaskHandler {
            method,
            policy,
            run,
        };
        TASKS.iter().map(handler).collect()
    }
}

/// An executor, and all that comes out of it.
pub(super) struct Harness {
    pub(super) executor: Executor,
    pub(super) outcomes: mpsc::UnboundedReceiver<Message>,
    pub(super) told: mpsc::UnboundedReceiver<String>,
    pub(super) gate: Arc<Semaphore>,
    pub(super) unblock: sync_channel::Sender<()>,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(Concurrency::default())
    }

    pub(super) fn with(concurrency: Concurrency) -> Self {
        let (told, told_receiver) = mpsc::unbounded_channel();
        let (unblock, unblocked) = sync_channel::channel();
        let gate = Arc::new(Semaphore::new(0));
        let mut hosted = HostedServices::new();
        let bank = Bank {
            gate: Arc::clone(&gate),
            told,
            unblock: Mutex::new(unblocked),
        };
        hosted.insert(bank).expect("it is the only one");
        let (sender, outcomes) = mpsc::unbounded_channel();
        let handle = tokio::runtime::Handle::current();
        let sink = Arc::new(move |_: InstanceId, message| {
            let _ = sender.send(message);
        });
        Self {
            executor: Executor::new(handle, hosted, "w1", &concurrency, sink),
            outcomes,
            told: told_receiver,
            gate,
            unblock,
        }
    }

    pub(super) fn run(&self, task: &str, position: u32) {
        self.executor.dispatch([attempt(task, position)]);
    }

    pub(super) async fn told(&mut self) -> String {
        self.told.recv().await.expect("the bank stays")
    }

    pub(super) async fn outcome(&mut self) -> (u32, AttemptResult) {
        match self.outcomes.recv().await.expect("the executor stays") {
            Message::AttemptEnded { id, result, .. } => (id.position.0, result),
            other => panic!("no end of an attempt: {other:?}"),
        }
    }

    pub(super) async fn value(&mut self) -> String {
        match self.outcome().await.1 {
            AttemptResult::Value(value) => value.as_str().to_owned(),
            failed => panic!("failed: {failed:?}"),
        }
    }

    pub(super) async fn failed(&mut self) -> (FailureRecord, Option<u64>) {
        match self.outcome().await.1 {
            AttemptResult::Failed {
                failure,
                retry_after_ms,
            } => (*failure, retry_after_ms),
            value => panic!("did not fail: {value:?}"),
        }
    }
}

pub(super) fn id(position: u32) -> CommandId {
    CommandId {
        instance: InstanceId::new(Timestamp::from_millis(1_700_000_000_000), 1, 2),
        run: RunNo(0),
        reopening: Reopening(0),
        position: Position(position),
    }
}

pub(super) fn attempt(task: &str, position: u32) -> TaskAttempt {
    TaskAttempt {
        id: id(position),
        sequence: Sequence(0),
        attempt: Attempt(0),
        service: ServiceName::known("Bank"),
        task: TaskName::known(task),
        args: Payload::from_json("[21]"),
        options: CallOptions::default(),
        workflow: WorkflowName::known("Orders"),
        last_failure: None,
        previous: Vec::new(),
    }
}
