//! Calls of workflow code: lazy until awaited or dispatched.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use infinitic_core::names::{ServiceName, TaskName};
use infinitic_core::{CallOptions, Command, CommandId, FailureRecord, Outcome, Payload};
use serde::de::DeserializeOwned;

use super::deferred::Deferred;
use super::outcome::to_result;
use super::recorder::{Recorder, WaitCell};
use crate::contract::{TaskContract, Undecodable};
use crate::failure::{ErrorCodec, Failure};

/// What a service's generated stub holds: options for the calls made through it.
#[derive(Clone, Debug)]
pub struct ServiceStub {
    recorder: Arc<Recorder>,
    service: ServiceName,
    options: CallOptions,
}

impl ServiceStub {
    #[track_caller]
    pub(crate) fn new(service: &str) -> Self {
        Self {
            recorder: Recorder::current("new_service"),
            service: ServiceName::known(service),
            options: CallOptions::default(),
        }
    }

    pub(crate) fn options(&mut self) -> &mut CallOptions {
        &mut self.options
    }

    /// The call of a task: what generated stubs do.
    #[doc(hidden)]
    #[must_use = "a call does nothing until it is awaited or dispatched"]
    #[track_caller]
    pub fn call<T, E>(
        &self,
        task: &'static TaskContract,
        args: Result<Payload, Undecodable>,
        codec: ErrorCodec<E>,
    ) -> Call<T, E> {
        let mut options = self.options.clone();
        options.timeout_ms = options.timeout_ms.or(task.timeout_ms);
        let command = args.map(|args| Command::CallTask {
            service: self.service.clone(),
            task: TaskName::known(task.name),
            args,
            options,
        });
        Call {
            recorder: Arc::clone(&self.recorder),
            state: State::Idle(Box::new(command)),
            location: Location::caller(),
            codec,
            value: std::marker::PhantomData,
        }
    }
}

/// A call that workflow code makes. Nothing happens until it is awaited or dispatched.
///
/// Awaiting it gives `Result<T, Failure<E>>`. **Cancellation:** a call that is awaited directly
/// belongs to its future; dropping that (a losing branch of `select!`) cancels the call. A
/// dispatched call lives on until [`Deferred::cancel`].
#[must_use = "a call does nothing until it is awaited or dispatched"]
pub struct Call<T, E> {
    recorder: Arc<Recorder>,
    state: State,
    location: &'static Location<'static>,
    codec: ErrorCodec<E>,
    value: std::marker::PhantomData<fn() -> T>,
}

enum State {
    Idle(Box<Result<Command, Undecodable>>),
    Waiting { id: CommandId, cell: Arc<WaitCell> },
    Done,
}

impl<T, E> std::fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Idle(_) => "not begun",
            State::Waiting { .. } => "waiting",
            State::Done => "done",
        };
        f.debug_struct("Call")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl<T, E> Call<T, E> {
    /// Makes the call now, without waiting for it.
    ///
    /// ```ignore
    /// let receipt = payments.charge(card, total).dispatch();
    /// let hold = stock.reserve(items).await?;
    /// let receipt = receipt.await?;
    /// ```
    pub fn dispatch(mut self) -> Deferred<T, E> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let recorder = Arc::clone(&self.recorder);
        match state {
            State::Idle(command) => match *command {
                Ok(command) => {
                    let cell = Arc::new(WaitCell::default());
                    let id = record(&recorder, command, &cell, self.location);
                    Deferred::new(recorder, Some(id), cell, self.codec)
                }
                Err(undecodable) => Deferred::failed(recorder, undecodable, self.codec),
            },
            State::Waiting { id, cell } => Deferred::new(recorder, Some(id), cell, self.codec),
            State::Done => unreachable!("a call is consumed by dispatch and by its end"),
        }
    }
}

/// Records with the place of the call, not of its `.await`, which is somewhere in a combinator.
fn record(
    recorder: &Arc<Recorder>,
    command: Command,
    cell: &Arc<WaitCell>,
    location: &'static Location<'static>,
) -> CommandId {
    recorder.record_at(command, Some(Arc::clone(cell)), location)
}

impl<T: DeserializeOwned, E> Future for Call<T, E> {
    type Output = Result<T, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Idle(_) = self.state {
            let State::Idle(command) = std::mem::replace(&mut self.state, State::Done) else {
                unreachable!("matched above");
            };
            match *command {
                Ok(command) => {
                    let cell = Arc::new(WaitCell::default());
                    let id = record(&self.recorder, command, &cell, self.location);
                    self.state = State::Waiting { id, cell };
                }
                Err(undecodable) => {
                    let outcome = Outcome::Failed(Box::new(FailureRecord::from(undecodable)));
                    return Poll::Ready(to_result(outcome, None, self.codec));
                }
            }
        }
        let State::Waiting { id, cell } = &self.state else {
            panic!("a call was polled after its end");
        };
        let Some(outcome) = cell.poll(context.waker()) else {
            return Poll::Pending;
        };
        let result = to_result(outcome, Some(*id), self.codec);
        self.state = State::Done;
        Poll::Ready(result)
    }
}

// The recorder and the cell are shared by reference; nothing is pinned inside.
impl<T, E> Unpin for Call<T, E> {}

impl<T, E> Drop for Call<T, E> {
    fn drop(&mut self) {
        if let State::Waiting { id, .. } = &self.state {
            self.recorder.cancel(id.position);
        }
    }
}
