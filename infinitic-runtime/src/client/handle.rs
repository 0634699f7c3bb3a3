//! Clients, generated proxies, and the instances they steer.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use infinitic_core::names::{MethodName, WorkflowName};
use infinitic_core::{
    Answer, FailureKind, FailureRecord, InstanceId, InstanceState, Payload, Start as StartMessage,
};
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::link::{Answering, Ask, Link, Target};
use crate::cluster::ClusterSettings;
use crate::cluster::connection::Connection;
use crate::cluster::link::ClusterLink;
use crate::cluster::store::Pending;
use crate::cluster::transport::{DeadLetter, Transport};
use crate::contract::{MethodContract, Undecodable, WorkflowContract, decode_value};
use crate::failure::{ErrorCodec, Failure};

/// Starts and steers instances. Cheap to clone; made by `Worker::client` or `Client::connect`.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) link: Arc<dyn Link>,
}

impl Client {
    /// A client of a cluster. Connects at its first request.
    #[must_use]
    pub fn cluster(transport: Arc<dyn Transport>) -> Self {
        let make = move || {
            let transport = Arc::clone(&transport);
            Box::pin(std::future::ready(Ok(transport))) as Pending<'static, _>
        };
        let partitions = ClusterSettings::default().partitions;
        Self::of_cluster(Connection::new(Box::new(make), None), partitions)
    }

    pub(crate) fn of_cluster(connection: Arc<Connection>, partitions: u16) -> Self {
        Self {
            link: Arc::new(ClusterLink::new(connection, partitions)),
        }
    }

    /// A proxy that starts instances of a workflow.
    ///
    /// ```ignore
    /// let orders = client.new_workflow::<OrdersClient>().with_tag("vip");
    /// let receipt = orders.start(order).await?;
    /// ```
    #[must_use]
    pub fn new_workflow<C: WorkflowProxy>(&self) -> C {
        C::__new(WorkflowHandle::new(
            Arc::clone(&self.link),
            C::CONTRACT,
            None,
        ))
    }

    /// A proxy for one instance.
    #[must_use]
    pub fn get_workflow_by_id<C: WorkflowProxy>(&self, id: InstanceId) -> C {
        C::__new(WorkflowHandle::new(
            Arc::clone(&self.link),
            C::CONTRACT,
            Some(id),
        ))
    }

    /// The run of an instance that was started elsewhere, or before a restart: to wait for it. `T`
    /// and `E` are the value and the error of the method that started it.
    ///
    /// ```ignore
    /// let run = client.attach::<Receipt, OrderError>(id);
    /// let receipt = run.await?;
    /// ```
    #[must_use]
    pub fn attach<T, E: crate::failure::TaskError>(&self, id: InstanceId) -> Run<T, E> {
        let to = Target { id, workflow: None };
        Run::new(Arc::clone(&self.link), to, ErrorCodec::typed())
    }

    /// A new instance id, for [`WorkflowProxy::with_id`]: to be written down before the start.
    #[must_use]
    pub fn draw_id(&self) -> InstanceId {
        self.link.draw_id()
    }

    /// Messages that were set aside because they could not be handled: those of a cluster, at most
    /// `limit`. Each says why. One machine alone sets nothing aside.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the broker does not answer.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, ClientError> {
        self.link.dead_letters(limit).await
    }

    /// Sends a message that was set aside to where it was meant to go, once what kept it from being
    /// handled is mended. False when there is none of that id.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the broker does not answer.
    pub async fn redrive(&self, id: &str) -> Result<bool, ClientError> {
        self.link.redrive(id.to_owned()).await
    }

    /// Starts many instances in one round trip: their runs in order, all durable.
    ///
    /// # Errors
    /// The first start that failed; those before and after it may have been made.
    ///
    /// **Cancellation:** dropping the future leaves it open which starts were made.
    pub async fn dispatch_many<T, E>(
        &self,
        starts: impl IntoIterator<Item = Start<T, E>>,
    ) -> Result<Vec<Run<T, E>>, ClientError> {
        let starts: Vec<_> = starts.into_iter().collect();
        // All are on their way before the first is waited for.
        let mut pending = Vec::with_capacity(starts.len());
        for start in starts {
            self.link.room().await;
            pending.push(start.send());
        }
        let mut runs = Vec::with_capacity(pending.len());
        for dispatch in pending {
            runs.push(dispatch.await?);
        }
        Ok(runs)
    }
}

/// What a generated client holds.
#[derive(Clone, Debug)]
pub struct WorkflowHandle {
    link: Arc<dyn Link>,
    workflow: WorkflowName,
    id: Option<InstanceId>,
    start_id: Option<InstanceId>,
    version: Option<u32>,
    tags: Vec<String>,
    meta: Vec<(String, String)>,
}

impl WorkflowHandle {
    fn new(
        link: Arc<dyn Link>,
        contract: &'static WorkflowContract,
        id: Option<InstanceId>,
    ) -> Self {
        let workflow = WorkflowName::known(contract.name);
        Self {
            link,
            workflow,
            id,
            start_id: None,
            version: None,
            tags: Vec::new(),
            meta: Vec::new(),
        }
    }

    /// What generated methods do: the start of an instance by one of its methods.
    #[doc(hidden)]
    pub fn start<T, E>(
        &self,
        method: &'static MethodContract,
        args: Result<Payload, Undecodable>,
        codec: ErrorCodec<E>,
    ) -> Start<T, E> {
        let start = match (args, self.id) {
            (Err(undecodable), _) => Err(ClientError::Arguments(
                FailureRecord::from(undecodable).message,
            )),
            (Ok(_), Some(id)) => Err(ClientError::Refused(Box::new(FailureRecord::new(
                FailureKind::Refused,
                format!(
                    "calling a method on the running instance {id} is not available yet in this \
                     version; start instances with `client.new_workflow`"
                ),
            )))),
            (Ok(args), None) => Ok(StartMessage {
                workflow: self.workflow.clone(),
                version: self.version,
                method: MethodName::known(method.name),
                args,
                tags: self.tags.clone(),
                meta: self.meta.clone(),
                custom_id: None,
            }),
        };
        Start {
            link: Arc::clone(&self.link),
            id: self.start_id,
            start,
            codec,
            value: std::marker::PhantomData,
        }
    }

    fn instance(&self) -> Result<Target, ClientError> {
        let target = |id| Target {
            id,
            workflow: Some(self.workflow.clone()),
        };
        self.id.map(target).ok_or_else(|| {
            ClientError::Refused(Box::new(FailureRecord::new(
                FailureKind::Refused,
                "this proxy starts new instances; take one of a running instance with \
                 `client.get_workflow_by_id`",
            )))
        })
    }
}

/// A generated client of a workflow: its methods start instances, and these verbs steer them.
pub trait WorkflowProxy: Sized + Send + Sync {
    #[doc(hidden)]
    type Marker;
    #[doc(hidden)]
    const CONTRACT: &'static WorkflowContract;
    #[doc(hidden)]
    fn __new(handle: WorkflowHandle) -> Self;
    #[doc(hidden)]
    fn __handle(&mut self) -> &mut WorkflowHandle;
    #[doc(hidden)]
    fn __handle_ref(&self) -> &WorkflowHandle;

    /// Labels the instances started through this proxy.
    #[must_use]
    fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.__handle().tags.push(tag.into());
        self
    }

    /// Gives the instances started through this proxy a key and value.
    #[must_use]
    fn with_meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.__handle().meta.push((key.into(), value.into()));
        self
    }

    /// Starts instances in this version instead of the highest that the worker hosts.
    #[must_use]
    fn with_version(mut self, version: u32) -> Self {
        self.__handle().version = Some(version);
        self
    }

    /// Starts the instance under an id that was drawn before, with [`Client::draw_id`]: a start
    /// that may be repeated. Whoever writes the id down first, and then starts with it, may be
    /// killed at any moment and do the same again: there is one instance, and its run attaches to
    /// it.
    ///
    /// One id is for one start: a later one, whatever its method and arguments, changes nothing and
    /// attaches. A first start is refused when its id was drawn more than 24 hours ago.
    ///
    /// ```ignore
    /// let id = client.draw_id();
    /// notebook.write_and_sync(order.number, id)?;
    /// let run = client.new_workflow::<OrdersClient>().with_id(id).start(order).dispatch().await?;
    /// ```
    #[must_use]
    fn with_id(mut self, id: InstanceId) -> Self {
        self.__handle().start_id = Some(id);
        self
    }

    /// Cancels the instance. What has ended stays as it is.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no such instance.
    fn cancel(&self) -> impl Future<Output = Result<(), ClientError>> + Send {
        steer(self.__handle_ref(), Ask::Cancel)
    }

    /// Gives code that stands still another try, or reopens a failed run at its last turn.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is nothing to retry, or no such instance.
    fn retry_turn(&self) -> impl Future<Output = Result<(), ClientError>> + Send {
        steer(self.__handle_ref(), Ask::RetryTurn)
    }

    /// Reopens a failed run where it failed: the task by which it failed is started anew.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when no failed task led to its end, or no such instance.
    fn retry_tasks(&self) -> impl Future<Output = Result<(), ClientError>> + Send {
        steer(self.__handle_ref(), Ask::RetryTasks)
    }

    /// How the instance stands, and what it waits for.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no such instance.
    fn state(&self) -> impl Future<Output = Result<InstanceState, ClientError>> + Send {
        let handle = self.__handle_ref().clone();
        async move { inspect(&*handle.link, handle.instance()?).await }
    }
}

fn steer(
    handle: &WorkflowHandle,
    ask: Ask,
) -> impl Future<Output = Result<(), ClientError>> + Send + use<> {
    let handle = handle.clone();
    async move { done(handle.link.ask(handle.instance()?, ask).await?) }
}

fn done(answer: Answer) -> Result<(), ClientError> {
    match answer {
        Answer::Refused(failure) => Err(ClientError::Refused(failure)),
        Answer::Done | Answer::Started { .. } | Answer::Ended(_) | Answer::State(_) => Ok(()),
    }
}

async fn inspect(link: &dyn Link, to: Target) -> Result<InstanceState, ClientError> {
    match link.ask(to, Ask::Inspect).await? {
        Answer::State(state) => Ok(*state),
        Answer::Refused(failure) => Err(ClientError::Refused(failure)),
        other => Err(ClientError::Protocol(format!(
            "unexpected answer {other:?}"
        ))),
    }
}

/// A start that has not been sent. Awaiting it starts the instance and waits for its result.
#[must_use = "an instance starts when this is awaited or dispatched"]
pub struct Start<T, E> {
    link: Arc<dyn Link>,
    id: Option<InstanceId>,
    start: Result<StartMessage, ClientError>,
    codec: ErrorCodec<E>,
    value: std::marker::PhantomData<fn() -> T>,
}

impl<T, E> std::fmt::Debug for Start<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl<T, E> Start<T, E> {
    /// Starts the instance: durable when this returns. In the worker's own process, it waits while
    /// thousands of starts are before it, so that clients that are faster than the store fill no
    /// memory.
    ///
    /// # Errors
    /// [`ClientError`] when the start was not acknowledged.
    ///
    /// **Cancellation:** dropping the future leaves it open whether the start was made.
    pub fn dispatch(self) -> impl Future<Output = Result<Run<T, E>, ClientError>> + Send + use<T, E>
    where
        T: 'static,
        E: 'static,
    {
        self.send()
    }

    fn send(self) -> impl Future<Output = Result<Run<T, E>, ClientError>> + Send + use<T, E> {
        let Self {
            link, id, codec, ..
        } = self;
        let asked = self
            .start
            .map(|start| ask_start(&*link, id, start, Ask::Start));
        async move {
            let (to, answering) = asked?;
            done(answering.await?)?;
            Ok(Run::new(link, to, codec))
        }
    }
}

/// Sends a start: with the id that the caller gave, or with one drawn for it.
fn ask_start(
    link: &dyn Link,
    id: Option<InstanceId>,
    start: StartMessage,
    ask: fn(Box<StartMessage>) -> Ask,
) -> (Target, Answering) {
    let workflow = start.workflow.clone();
    let ask = ask(Box::new(start));
    let to = |id| Target {
        id,
        workflow: Some(workflow.clone()),
    };
    match id {
        Some(id) => (to(id), link.ask(to(id), ask)),
        None => {
            let (id, answering) = link.ask_new(&workflow, ask);
            (to(id), answering)
        }
    }
}

impl<T: DeserializeOwned + 'static, E: 'static> IntoFuture for Start<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            link,
            id,
            start,
            codec,
            value: _,
        } = self;
        let asked = start.map(|start| ask_start(&*link, id, start, Ask::StartAndWait).1);
        Box::pin(async move {
            let answer = match asked {
                Ok(asked) => asked.await,
                Err(error) => Err(error),
            };
            to_result(answer, codec)
        })
    }
}

/// A started instance, to be awaited by whoever wants its result: at any time, as often as wanted,
/// also after restarts and after its end while its record is kept.
pub struct Run<T, E> {
    link: Arc<dyn Link>,
    to: Target,
    codec: ErrorCodec<E>,
    limit: Option<Duration>,
    value: std::marker::PhantomData<fn() -> T>,
}

impl<T, E> Clone for Run<T, E> {
    fn clone(&self) -> Self {
        Self {
            link: Arc::clone(&self.link),
            to: self.to.clone(),
            ..*self
        }
    }
}

impl<T, E> std::fmt::Debug for Run<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.to.id)
            .finish_non_exhaustive()
    }
}

impl<T, E> Run<T, E> {
    fn new(link: Arc<dyn Link>, to: Target, codec: ErrorCodec<E>) -> Self {
        Self {
            link,
            to,
            codec,
            limit: None,
            value: std::marker::PhantomData,
        }
    }

    /// The instance's id: `client.attach` and `client.get_workflow_by_id` take it anywhere, any
    /// time.
    #[must_use]
    pub fn id(&self) -> InstanceId {
        self.to.id
    }

    /// Limits the wait: awaiting gives a failure of kind `TimedOut` then. The instance goes on.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Cancels the instance.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no such instance.
    pub async fn cancel(&self) -> Result<(), ClientError> {
        done(self.link.ask(self.to.clone(), Ask::Cancel).await?)
    }

    /// As [`WorkflowProxy::retry_turn`].
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is nothing to retry.
    pub async fn retry_turn(&self) -> Result<(), ClientError> {
        done(self.link.ask(self.to.clone(), Ask::RetryTurn).await?)
    }

    /// As [`WorkflowProxy::retry_tasks`].
    ///
    /// # Errors
    /// [`ClientError::Refused`] when no failed task led to its end.
    pub async fn retry_tasks(&self) -> Result<(), ClientError> {
        done(self.link.ask(self.to.clone(), Ask::RetryTasks).await?)
    }

    /// How the instance stands, and what it waits for.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no such instance.
    pub async fn state(&self) -> Result<InstanceState, ClientError> {
        inspect(&*self.link, self.to.clone()).await
    }
}

impl<T: DeserializeOwned + 'static, E: 'static> IntoFuture for &Run<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let (asked, codec, limit) = (
            self.link.ask(self.to.clone(), Ask::Wait),
            self.codec,
            self.limit,
        );
        Box::pin(async move {
            let answer = match limit {
                None => asked.await,
                Some(limit) => tokio::time::timeout(limit, asked)
                    .await
                    .unwrap_or(Err(ClientError::TimedOut(limit))),
            };
            to_result(answer, codec)
        })
    }
}

impl<T: DeserializeOwned + 'static, E: 'static> IntoFuture for Run<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        (&self).into_future()
    }
}

fn to_result<T: DeserializeOwned, E>(
    answer: Result<Answer, ClientError>,
    codec: ErrorCodec<E>,
) -> Result<T, Failure<E>> {
    let record = match answer {
        Ok(Answer::Ended(Ok(value))) => match decode_value::<T>(&value) {
            Ok(value) => return Ok(value),
            Err(undecodable) => FailureRecord::from(undecodable),
        },
        Ok(Answer::Ended(Err(failure)) | Answer::Refused(failure)) => *failure,
        Ok(other) => {
            FailureRecord::new(FailureKind::Refused, format!("unexpected answer {other:?}"))
        }
        Err(error) => error.into_record(),
    };
    Err(Failure::new(record, codec))
}
