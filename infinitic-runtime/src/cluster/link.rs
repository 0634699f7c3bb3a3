//! How clients reach the workers of a cluster: asks go to the inbox of an instance's partition,
//! answers come to a topic of the client's own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use infinitic_core::names::WorkflowName;
use infinitic_core::{Answer, FailureKind, FailureRecord, InstanceId, Message, RequestId};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot, watch};

use super::connection::Connection;
use super::outbox::Outbox;
use super::parts::PartCounts;
use super::store::Part;
use super::transport::{DeadLetter, Reading, SendError, Topic, Transport, TransportError, Window};
use super::wire::Packet;
use crate::client::{Answering, Ask, ClientError, Link, Target};
use crate::clock::{Clock, SystemClock, monotonic, random_bits};

/// When a request is sent again that has no answer: its owner may have gone.
const AGAIN_FIRST: Duration = Duration::from_secs(3);
/// And later on, at most so seldom.
const AGAIN_MAX: Duration = Duration::from_secs(15);
/// How long a request that is no wait is repeated before its caller is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before the answers' topic is read again.
const PAUSE: Duration = Duration::from_secs(1);
/// Asks drawn into one partition, so that packets fill, before the next one is taken.
const TOGETHER: u64 = 64;
/// What a client holds of answers that it has not handled.
const WINDOW: Window = Window {
    messages: 1_000,
    bytes: 16 << 20,
};

/// Attached instances whose workflow a client remembers, at most.
const REMEMBERED: usize = 10_000;

/// A client's way to a cluster. Connects at its first use.
pub(crate) struct ClusterLink {
    connection: Arc<Connection>,
    /// Partitions that a workflow gets which has none yet.
    wanted: u16,
    live: OnceCell<Live>,
    next: AtomicU64,
    drawn: AtomicU64,
    routing: AtomicU16,
    waiting: Arc<Waiting>,
    /// Of which workflow instances are that were asked of all.
    known: Mutex<HashMap<InstanceId, WorkflowName>>,
}

/// What there is once the client is connected.
struct Live {
    transport: Arc<dyn Transport>,
    outbox: Arc<Outbox>,
    parts: Arc<PartCounts>,
    reader: tokio::task::JoinHandle<()>,
}

/// Requests without an answer.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<RequestId, oneshot::Sender<Answer>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ClusterLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterLink").finish_non_exhaustive()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl ClusterLink {
    pub(crate) fn new(connection: Arc<Connection>, wanted: u16) -> Arc<Self> {
        Arc::new(Self {
            connection,
            wanted,
            live: OnceCell::new(),
            next: AtomicU64::new(1),
            drawn: AtomicU64::new(0),
            routing: AtomicU16::new((random_bits() & 0xffff) as u16),
            waiting: Arc::default(),
            known: Mutex::default(),
        })
    }

    /// Connects, unless that is done: answers are read when this answers, so that none is missed.
    async fn live(&self) -> Result<&Live, ClientError> {
        let connect = || async {
            let transport = self.connection.transport().await.map_err(unreachable)?;
            let handle = Handle::current();
            let name = format!("client-{:016x}", random_bits());
            let (begins, mut reads) = watch::channel(false);
            let reader = handle.spawn(read(
                Arc::clone(&transport),
                Topic::Replies(name.clone()),
                Arc::clone(&self.waiting),
                begins,
            ));
            let live = Live {
                outbox: Outbox::new(Arc::clone(&transport), handle, name),
                parts: PartCounts::new(Arc::clone(&transport), self.wanted),
                transport,
                reader,
            };
            match reads.wait_for(|reads| *reads).await {
                Ok(_) => Ok(live),
                Err(_) => Err(ClientError::Closed),
            }
        };
        self.live.get_or_try_init(connect).await
    }

    /// Sends an ask to a partition; the receiver gets the answer.
    fn send(
        self: &Arc<Self>,
        live: &Live,
        part: &Part,
        to: InstanceId,
        request: RequestId,
        message: Message,
    ) {
        let link = Arc::clone(self);
        let done = move |sent: Result<(), SendError>| {
            if let Err(error) = sent {
                link.fail(request, &error);
            }
        };
        live.outbox.post(part, to, message, Box::new(done));
    }

    /// What cannot be sent is refused; the caller is told why.
    fn fail(&self, request: RequestId, error: &SendError) {
        let waiting = self.waiting.lock().remove(&request);
        if let (Some(waiting), SendError::TooLarge { .. }) = (waiting, error) {
            let failure = FailureRecord::new(FailureKind::Refused, error.to_string());
            drop(waiting.send(Answer::Refused(Box::new(failure))));
        }
    }

    async fn ask_part(
        self: Arc<Self>,
        part: Part,
        to: InstanceId,
        ask: Ask,
    ) -> Result<Answer, ClientError> {
        let is_wait = matches!(ask, Ask::Wait | Ask::StartAndWait(_));
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, mut receiver) = oneshot::channel();
        self.waiting.lock().insert(request, sender);
        let _forget = Forget {
            waiting: Arc::clone(&self.waiting),
            request,
        };
        let live = self.live().await?;
        let begun = monotonic();
        let mut pause = AGAIN_FIRST;
        loop {
            self.send(live, &part, to, request, ask.clone().message(request));
            tokio::select! {
                answer = &mut receiver => return answer.map_err(|_| ClientError::Closed),
                () = tokio::time::sleep(pause) => {}
            }
            if !is_wait && begun.elapsed() >= PATIENCE {
                return Err(ClientError::Unreachable {
                    address: format!("partition {part}"),
                    reason: format!(
                        "no worker has answered within {} s; does one that hosts workflow {} run?",
                        PATIENCE.as_secs(),
                        part.workflow
                    ),
                });
            }
            pause = (pause * 2).min(AGAIN_MAX);
        }
    }

    async fn ask_workflow(
        self: Arc<Self>,
        workflow: WorkflowName,
        to: InstanceId,
        ask: Ask,
    ) -> Result<Answer, ClientError> {
        let parts = self
            .live()
            .await?
            .parts
            .try_ask(&workflow)
            .await
            .map_err(unreachable)?;
        self.ask_part(Part::of(&workflow, to, parts), to, ask).await
    }

    /// Asks all workflows, since nobody knows of which one the instance is: the one that has it
    /// answers with something else than that it has not.
    async fn ask_all(self: Arc<Self>, to: InstanceId, ask: Ask) -> Result<Answer, ClientError> {
        let known = self.known().get(&to).cloned();
        if let Some(workflow) = known {
            return self.ask_workflow(workflow, to, ask).await;
        }
        let workflows = self
            .live()
            .await?
            .transport
            .workflows()
            .await
            .map_err(unreachable)?;
        let mut asked = tokio::task::JoinSet::new();
        for workflow in workflows {
            let (link, ask) = (Arc::clone(&self), ask.clone());
            asked.spawn(async move {
                let answer = link.ask_workflow(workflow.clone(), to, ask).await;
                (workflow, answer)
            });
        }
        let unknown = FailureRecord::new(
            FailureKind::UnknownInstance,
            format!("there is no instance {to}: this cluster has no workflow that has it"),
        );
        let mut nobody = Ok(Answer::Refused(Box::new(unknown)));
        while let Some(answer) = asked.join_next().await {
            let Ok((workflow, answer)) = answer else {
                continue;
            };
            let is_unknown = matches!(&answer, Ok(Answer::Refused(failure))
                if failure.kind == FailureKind::UnknownInstance);
            if is_unknown || answer.is_err() {
                nobody = answer;
            } else {
                let mut known = self.known();
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(to, workflow);
                return answer;
            }
        }
        nobody
    }

    fn known(&self) -> MutexGuard<'_, HashMap<InstanceId, WorkflowName>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a request that nobody waits for any more.
struct Forget {
    waiting: Arc<Waiting>,
    request: RequestId,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.request);
    }
}

fn unreachable(error: TransportError) -> ClientError {
    ClientError::Unreachable {
        address: "the broker".to_owned(),
        reason: error.to_string(),
    }
}

impl Link for Arc<ClusterLink> {
    fn ask(&self, to: Target, ask: Ask) -> Answering {
        let link = Self::clone(self);
        let Target { id, workflow } = to;
        match workflow {
            // What is known is sent at once, in the order of the asks.
            Some(workflow) => spawned(link.ask_workflow(workflow, id, ask)),
            None => spawned(link.ask_all(id, ask)),
        }
    }

    fn ask_new(&self, workflow: &WorkflowName, ask: Ask) -> (InstanceId, Answering) {
        let id = self.draw_id();
        let to = Target {
            id,
            workflow: Some(workflow.clone()),
        };
        (id, self.ask(to, ask))
    }

    fn draw_id(&self) -> InstanceId {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        if drawn.is_multiple_of(TOGETHER) {
            self.routing.fetch_add(1, Ordering::Relaxed);
        }
        let routing = self.routing.load(Ordering::Relaxed);
        InstanceId::new(SystemClock.now(), random_bits(), routing)
    }

    fn dead_letters(
        &self,
        limit: usize,
    ) -> super::store::Pending<'_, Result<Vec<DeadLetter>, ClientError>> {
        Box::pin(async move {
            let live = self.live().await?;
            live.transport
                .dead_letters(limit)
                .await
                .map_err(unreachable)
        })
    }

    fn redrive(&self, id: String) -> super::store::Pending<'_, Result<bool, ClientError>> {
        Box::pin(async move {
            let transport = &self.live().await?.transport;
            transport.redrive(&id).await.map_err(unreachable)
        })
    }
}

/// Runs a future at once, and ends it when nobody waits for it any more.
fn spawned(
    future: impl Future<Output = Result<Answer, ClientError>> + Send + 'static,
) -> Answering {
    struct Abort(tokio::task::AbortHandle);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let task = tokio::spawn(future);
    let abort = Abort(task.abort_handle());
    Box::pin(async move {
        let answer = task.await.unwrap_or(Err(ClientError::Closed));
        drop(abort);
        answer
    })
}

/// Reads answers until the task is aborted.
async fn read(
    transport: Arc<dyn Transport>,
    topic: Topic,
    waiting: Arc<Waiting>,
    begins: watch::Sender<bool>,
) {
    let mut reader = loop {
        match transport
            .read(&topic, Reading::Alone { rank: 0 }, WINDOW)
            .await
        {
            Ok(reader) => break reader,
            Err(error) => {
                tracing::error!("answers cannot be read, trying on: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    begins.send_replace(true);
    let acknowledger = reader.acknowledger();
    while let Some(deliveries) = reader.next(WINDOW.messages).await {
        for delivery in deliveries {
            match Packet::decode(&delivery.payload) {
                Ok(Packet::Answers(answers)) => {
                    let mut waiting = waiting.lock();
                    for (request, answer) in answers {
                        if let Some(sender) = waiting.remove(&request) {
                            drop(sender.send(answer));
                        }
                    }
                }
                Ok(_) => tracing::warn!("something came that is no answer"),
                Err(error) => tracing::warn!("an answer does not decode: {error}"),
            }
            acknowledger.acknowledge(&[delivery.tag]);
        }
    }
}
