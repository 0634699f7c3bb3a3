//! Deferreds: calls that were dispatched, to be awaited once, many times, or never.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use infinitic_core::{CommandId, FailureKind, FailureRecord, Outcome};
use serde::de::DeserializeOwned;

use super::outcome::to_result;
use super::recorder::{Recorder, WaitCell};
use crate::contract::Undecodable;
use crate::failure::{ErrorCodec, Failure};

/// How a dispatched call stands, as of the current point of the workflow's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeferredStatus {
    /// It has not ended.
    Ongoing,
    /// It ended with a value.
    Completed,
    /// It ended with a failure.
    Failed,
    /// The caller's limit ran out.
    TimedOut,
    /// It was cancelled.
    Cancelled,
}

/// A dispatched call. Cheap to clone; awaiting it, by value or by reference, gives the same result
/// each time. Never awaited, it never fails the workflow.
///
/// **Cancellation:** dropping it does nothing; see [`Deferred::cancel`] and
/// [`Deferred::cancel_on_drop`].
pub struct Deferred<T, E> {
    shared: Arc<Shared>,
    codec: ErrorCodec<E>,
    value: std::marker::PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Shared {
    recorder: Arc<Recorder>,
    id: Option<CommandId>,
    cell: Arc<WaitCell>,
    cancel_on_drop: AtomicBool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.cancel_on_drop.load(Ordering::Relaxed) {
            self.cancel();
        }
    }
}

impl Shared {
    fn cancel(&self) {
        if let Some(id) = self.id
            && self.cell.outcome().is_none()
            // Not at eviction: waking those that wait would look like something foreign.
            && self.recorder.cancel(id.position)
        {
            self.cell.complete(Outcome::Cancelled);
        }
    }
}

impl<T, E> Clone for Deferred<T, E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            codec: self.codec,
            value: self.value,
        }
    }
}

impl<T, E> std::fmt::Debug for Deferred<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred")
            .field("id", &self.shared.id)
            .finish_non_exhaustive()
    }
}

impl<T, E> Deferred<T, E> {
    pub(crate) fn new(
        recorder: Arc<Recorder>,
        id: Option<CommandId>,
        cell: Arc<WaitCell>,
        codec: ErrorCodec<E>,
    ) -> Self {
        let shared = Shared {
            recorder,
            id,
            cell,
            cancel_on_drop: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            codec,
            value: std::marker::PhantomData,
        }
    }

    pub(crate) fn failed(
        recorder: Arc<Recorder>,
        undecodable: Undecodable,
        codec: ErrorCodec<E>,
    ) -> Self {
        let cell = Arc::new(WaitCell::default());
        cell.complete(Outcome::Failed(Box::new(FailureRecord::from(undecodable))));
        Self::new(recorder, None, cell, codec)
    }

    /// Id of the task; nothing when the call could not be made because its arguments do not encode.
    #[must_use]
    pub fn id(&self) -> Option<CommandId> {
        self.shared.id
    }

    /// How the call stands at this point of the code; the same on every replay.
    #[must_use]
    pub fn status(&self) -> DeferredStatus {
        match self.shared.cell.outcome() {
            None => DeferredStatus::Ongoing,
            Some(Outcome::TimedOut) => DeferredStatus::TimedOut,
            Some(Outcome::Cancelled) => DeferredStatus::Cancelled,
            Some(Outcome::Failed(record)) if record.kind == FailureKind::Cancelled => {
                DeferredStatus::Cancelled
            }
            Some(Outcome::Failed(_) | Outcome::UnknownInstance | Outcome::StartRefused(_)) => {
                DeferredStatus::Failed
            }
            Some(
                Outcome::Value(_)
                | Outcome::Attached(_)
                | Outcome::Due
                | Outcome::Signal(_)
                | Outcome::PropertiesChanged(_),
            ) => DeferredStatus::Completed,
        }
    }

    /// Cancels the call; awaiting it then gives a failure of kind `Cancelled`. Does nothing when it
    /// has ended.
    pub fn cancel(&self) {
        self.shared.cancel();
    }

    /// Cancels the call when the last clone of this deferred is dropped.
    #[must_use]
    pub fn cancel_on_drop(self) -> Self {
        self.shared.cancel_on_drop.store(true, Ordering::Relaxed);
        self
    }
}

impl<T: DeserializeOwned, E> Future for Deferred<T, E> {
    type Output = Result<T, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.shared.cell.poll(context.waker()) {
            None => Poll::Pending,
            Some(outcome) => Poll::Ready(to_result(outcome, self.shared.id, self.codec)),
        }
    }
}

impl<T: DeserializeOwned, E> IntoFuture for &Deferred<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = Deferred<T, E>;

    fn into_future(self) -> Deferred<T, E> {
        self.clone()
    }
}
