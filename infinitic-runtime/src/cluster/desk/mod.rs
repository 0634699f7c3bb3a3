//! Where attempts go and come from: at home, or over the broker; and how their ends find their
//! instances.

mod intake;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_core::{
    AttemptResult, CommandId, FailureKind, FailureRecord, InstanceId, Message, Origin, StepAttempt,
    TaskAttempt,
};
use tokio::runtime::Handle;

use crate::cluster::inbox::{Inbox, Input, Local};
use crate::cluster::outbox::Outbox;
use crate::cluster::parts::PartCounts;
use crate::cluster::settle::{Settle, settle};
use crate::cluster::store::Part;
use crate::cluster::transport::{SendError, Topic, Transport};
use crate::cluster::unwanted::Unwanted;
use crate::cluster::wire::Packet;
use crate::service::Executor;
use crate::worker::Which;
use crate::workflow::HostedWorkflows;

/// An attempt stays at home when it would wait there no longer than this: about what a way over the
/// broker and back takes.
const WORTH_WAITING: Duration = Duration::from_millis(20);

/// Characters that are kept of the message of a failure that is too large for the broker.
const FAILURE_CHARS: usize = 1_000;

/// Gives attempts to this worker's executor and to the broker, and their ends to the engine.
pub(crate) struct Desk {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) handle: Handle,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) parts: Arc<PartCounts>,
    /// Whether tasks may stay with the owner of their partition.
    pub(crate) at_home: bool,
    /// Redeliveries after which an attempt counts as failed.
    pub(crate) deliveries_max: u32,
    /// Longest time that a turn may take.
    pub(crate) turn_limit: Duration,
    pub(crate) executor: OnceLock<Executor>,
    /// No attempt starts here any more.
    pub(crate) draining: AtomicBool,
    origins: Mutex<BTreeMap<(CommandId, Which), From>>,
    unwanted: Mutex<Unwanted>,
    /// What this worker hosts.
    workflows: Arc<HostedWorkflows>,
    /// Services of which it was asked whether anybody hosts them.
    asked: Mutex<HashSet<ServiceName>>,
}

/// Where an attempt has come from.
struct From {
    workflow: WorkflowName,
    settles: Vec<Settle>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    #[expect(
        clippy::too_many_arguments,
        reason = "they are what a worker is made of, each once"
    )]
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        handle: Handle,
        inbox: Arc<Inbox>,
        parts: Arc<PartCounts>,
        workflows: Arc<HostedWorkflows>,
        at_home: bool,
        deliveries_max: u32,
        turn_limit: Duration,
    ) -> Arc<Self> {
        let outbox = Outbox::new(Arc::clone(&transport), handle.clone(), String::new());
        Arc::new(Self {
            transport,
            handle,
            inbox,
            outbox,
            parts,
            at_home,
            deliveries_max,
            turn_limit,
            executor: OnceLock::new(),
            draining: AtomicBool::new(false),
            origins: Mutex::default(),
            unwanted: Mutex::default(),
            asked: Mutex::default(),
            workflows,
        })
    }

    fn origins(&self) -> MutexGuard<'_, BTreeMap<(CommandId, Which), From>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwanted(&self) -> MutexGuard<'_, Unwanted> {
        self.unwanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn executor(&self) -> &Executor {
        self.executor.get().expect("it is set before anything runs")
    }

    /// Whether an attempt is to be run here, by the owner of its partition.
    fn stays_home(&self, attempt: &TaskAttempt) -> bool {
        let executor = self.executor();
        self.at_home
            && !self.draining.load(Ordering::SeqCst)
            && executor.hosts(&attempt.service, &attempt.task)
            && executor.wait(&attempt.service) <= WORTH_WAITING
    }

    /// Starts here what stays at home. Gives back what goes to the broker.
    #[expect(
        clippy::vec_box,
        reason = "they come boxed from the engine, and go boxed to others"
    )]
    pub(crate) fn keep_home(
        self: &Arc<Self>,
        tasks: Vec<Box<TaskAttempt>>,
    ) -> Vec<Box<TaskAttempt>> {
        let mut away = Vec::new();
        for attempt in tasks {
            if !self.stays_home(&attempt) {
                self.look_for_readers(&attempt.service);
                away.push(attempt);
                continue;
            }
            let key = (attempt.id, which(&attempt));
            if self.notes(key, &attempt.workflow, Vec::new()) {
                self.executor().dispatch([attempt]);
            }
        }
        away
    }

    /// Notes where an attempt has come from. A later one makes those before it void: what they owe
    /// is settled. Says whether it is to run: not when a later one is here.
    fn notes(
        &self,
        (id, which): (CommandId, Which),
        workflow: &WorkflowName,
        settles: Vec<Settle>,
    ) -> bool {
        let mut origins = self.origins();
        let known: Vec<Which> = origins
            .range((id, Which::FIRST)..=(id, Which::LAST))
            .map(|((_, known), _)| *known)
            .collect();
        if known.iter().any(|known| *known > which) {
            drop(origins);
            settle(settles);
            return false;
        }
        let void: Vec<Settle> = known
            .iter()
            .filter(|known| **known < which)
            .filter_map(|known| origins.remove(&(id, *known)))
            .flat_map(|from| from.settles)
            .collect();
        let from = origins.entry((id, which)).or_insert_with(|| From {
            workflow: workflow.clone(),
            settles: Vec::new(),
        });
        from.settles.extend(settles);
        drop(origins);
        settle(void);
        true
    }

    /// Says so once when nobody at all hosts a service.
    fn look_for_readers(self: &Arc<Self>, service: &ServiceName) {
        let is_known = self
            .executor()
            .services()
            .iter()
            .any(|(name, _)| name == service);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if is_known || !asked.insert(service.clone()) {
            return;
        }
        let (desk, service) = (Arc::clone(self), service.clone());
        self.handle.spawn(async move {
            let topic = Topic::Tasks(service.clone());
            if desk.transport.has_readers(&topic).await == Ok(false) {
                tracing::warn!(
                    "service `{service}` is not hosted by any worker: its tasks wait. Host it by \
                     `.service(…)` with a value that implements `{service}`"
                );
            }
        });
    }

    /// Says so once when nobody at all hosts a version of a workflow.
    pub(crate) fn look_for_hosts(self: &Arc<Self>, workflow: &WorkflowName, version: u32) {
        if !self.workflows.is_first_missing(workflow.as_str(), version) {
            return;
        }
        let (desk, workflow) = (Arc::clone(self), workflow.clone());
        self.handle.spawn(async move {
            let topic = Topic::Turns(workflow.clone(), version);
            if desk.transport.has_readers(&topic).await == Ok(false) {
                tracing::warn!(
                    "instances of workflow `{workflow}` in version {version} wait: no worker here \
                     hosts it; host it with `.workflow(…)` and start the worker again"
                );
            }
        });
    }

    /// Gives an attempt to the broker: true once it is there. One that is too large ends as failed.
    pub(crate) async fn send(self: &Arc<Self>, attempt: Box<TaskAttempt>) -> bool {
        let topic = Topic::Tasks(attempt.service.clone());
        let packet = Packet::Task(attempt);
        self.transport.ready().await;
        let sent = self.transport.send(&topic, packet.encode()).await;
        let Packet::Task(attempt) = packet else {
            return false;
        };
        match sent {
            Ok(()) => true,
            Err(SendError::Closed) => false,
            Err(error) => {
                let failed = self.failed(&attempt, FailureKind::Refused, error.to_string());
                self.tell(attempt.workflow, attempt.id.instance, failed, Vec::new());
                false
            }
        }
    }

    fn failed(&self, attempt: &TaskAttempt, kind: FailureKind, why: String) -> Message {
        let origin = Origin::Task {
            id: attempt.id,
            service: attempt.service.clone(),
            task: attempt.task.clone(),
            worker: String::new(),
            attempts: attempt.attempt.0 + 1,
        };
        let mut failure = FailureRecord::new(kind, why).at(origin);
        failure.previous.clone_from(&attempt.previous);
        Message::AttemptEnded {
            id: attempt.id,
            sequence: attempt.sequence,
            attempt: attempt.attempt,
            result: AttemptResult::Failed {
                failure: Box::new(failure),
                retry_after_ms: None,
            },
        }
    }

    /// An attempt of a task or step has ended here.
    pub(crate) fn ended(self: &Arc<Self>, to: InstanceId, message: Message) {
        let Message::AttemptEnded {
            id,
            sequence,
            attempt,
            ..
        } = &message
        else {
            return;
        };
        let which = Which {
            sequence: *sequence,
            attempt: *attempt,
        };
        let from = self.origins().remove(&(*id, which));
        match from {
            Some(From { workflow, settles }) => self.tell(workflow, to, message, settles),
            None => tracing::warn!(task = %id, "an attempt has ended that nobody gave out"),
        }
    }

    /// Notes whose step runs here.
    pub(crate) fn runs_step(&self, step: &StepAttempt) {
        let from = From {
            workflow: step.workflow.clone(),
            settles: Vec::new(),
        };
        self.origins().insert((step.id, which_step(step)), from);
    }

    /// Brings a message to its instance, wherever that lives.
    fn tell(
        self: &Arc<Self>,
        workflow: WorkflowName,
        to: InstanceId,
        message: Message,
        settles: Vec<Settle>,
    ) {
        let local = |parts| Local {
            part: Part::of(&workflow, to, parts),
            to,
            message: message.clone(),
            settles: settles.clone(),
        };
        if let Some(parts) = self.parts.known(&workflow) {
            self.inbox.push(Input::Local(local(parts)));
            return;
        }
        let desk = Arc::clone(self);
        let workflow = workflow.clone();
        self.handle.spawn(async move {
            let parts = desk.parts.ask(&workflow).await;
            desk.inbox.push(Input::Local(Local {
                part: Part::of(&workflow, to, parts),
                to,
                message,
                settles,
            }));
        });
    }

    /// Brings a message to an instance whose partition another member owns.
    pub(crate) fn forward(self: &Arc<Self>, local: Local) {
        let Local {
            part,
            to,
            message,
            settles,
        } = local;
        let desk = Arc::clone(self);
        let again = message.clone();
        let owner = part.clone();
        let done = move |sent: Result<(), SendError>| match (sent, again) {
            (Ok(()), _) => settle(settles),
            (Err(SendError::Closed), _) => {}
            // The value is too large for the broker: the attempt has failed by it.
            (Err(error), message) => {
                if let Some(message) = refused(message, &error) {
                    let message = Local {
                        part: owner,
                        to,
                        message,
                        settles,
                    };
                    desk.forward(message);
                }
            }
        };
        self.outbox.post(&part, to, message, Box::new(done));
    }

    /// An attempt, and all before it, are not wanted any more. Says whether one of them was here.
    pub(crate) fn cancel(&self, id: CommandId, which: Which) -> bool {
        self.unwanted().note(id, which);
        self.executor()
            .cancel_up_to(id, which.sequence, which.attempt);
        let mut origins = self.origins();
        let meant: Vec<(CommandId, Which)> = origins
            .range((id, Which::FIRST)..=(id, which))
            .map(|(key, _)| *key)
            .collect();
        let settles: Vec<Settle> = meant
            .iter()
            .filter_map(|key| origins.remove(key))
            .flat_map(|from| from.settles)
            .collect();
        drop(origins);
        let was_here = !meant.is_empty();
        settle(settles);
        was_here
    }
}

/// Which attempt it is.
pub(crate) fn which(attempt: &TaskAttempt) -> Which {
    Which {
        sequence: attempt.sequence,
        attempt: attempt.attempt,
    }
}

fn which_step(step: &StepAttempt) -> Which {
    Which {
        sequence: step.sequence,
        attempt: step.attempt,
    }
}

/// The end of an attempt that the broker does not take: a value or a failure that is too large.
fn refused(message: Message, error: &SendError) -> Option<Message> {
    let Message::AttemptEnded {
        id,
        sequence,
        attempt,
        result,
    } = message
    else {
        return None;
    };
    let (failure, retry_after_ms) = match result {
        AttemptResult::Value(_) => {
            let failure = FailureRecord::new(FailureKind::Refused, error.to_string());
            (failure, None)
        }
        AttemptResult::Failed {
            failure,
            retry_after_ms,
        } => (shortened(&failure, error)?, retry_after_ms),
        // What the attempt has added to the task's meta is given up: it may be what is too large.
        AttemptResult::FailedWithMeta {
            failure,
            retry_after_ms,
            ..
        } => {
            let short = shortened(&failure, error).unwrap_or(*failure);
            (short, Some(retry_after_ms))
        }
    };
    Some(Message::AttemptEnded {
        id,
        sequence,
        attempt,
        result: AttemptResult::Failed {
            failure: Box::new(failure),
            retry_after_ms,
        },
    })
}

/// A failure in few words; none when it was short already.
fn shortened(failure: &FailureRecord, error: &SendError) -> Option<FailureRecord> {
    let is_short = failure.message.len() <= 8 * FAILURE_CHARS;
    let has_more = failure.error.is_some()
        || failure.cause.is_some()
        || failure.backtrace.is_some()
        || !(failure.sources.is_empty() && failure.previous.is_empty());
    if is_short && !has_more {
        return None;
    }
    let message: String = failure.message.chars().take(FAILURE_CHARS).collect();
    let mut short = FailureRecord::new(
        failure.kind,
        format!("{message} (shortened: the whole failure was refused, {error})"),
    );
    short.name = failure.name.chars().take(FAILURE_CHARS).collect();
    short.origin.clone_from(&failure.origin);
    Some(short)
}
