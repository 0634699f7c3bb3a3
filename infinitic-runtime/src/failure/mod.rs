//! Failures as users meet them: typed, cheap to clone, with everything that led to them.
//!
//! [`FailureRecord`] (in the core) is the data that is stored; [`Failure`] is the view of it that a
//! caller gets. How errors of user code become records and come back is in [`codec`]; what `?` does
//! between layers is in [`convert`].

mod bounds;
mod chain;
pub mod codec;
pub mod convert;
pub mod converted;
mod error;
mod form;
mod names;
mod never;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use infinitic_core::{FailureKind, FailureRecord, InstanceId, Origin, TaskId};

pub use bounds::{
    Argument, NotResult, ResultParts, ReturnProbe, Value, assert_argument, assert_plain_return,
    assert_value,
};
pub use codec::{ErrorCodec, ErrorForm, RetryHint, TaskError};
pub use convert::{FromFailure, own_error};
pub use error::{Error, Result};
pub(crate) use names::short_type_name;
pub use never::Never;

use chain::{Door, Shared};

/// Stands for an error type that is no longer known; the default parameter of [`Failure`].
#[derive(Debug)]
pub enum Erased {}

/// How a call, a step or an instance failed, as its caller sees it.
///
/// `E` is the error type of the contract; [`error`](Self::error) gives it back, typed, when user
/// code returned it on purpose. Everything else that can go wrong (time limits, cancellation,
/// panics, …) is told by [`kind`](Self::kind). `Failure` without a parameter is the same with the
/// type forgotten; each `Failure<E>` converts into it by `?` or [`erase`](Self::erase).
///
/// The whole story, down to the first cause, is in [`std::error::Error::source`]; `{:?}` prints it.
pub struct Failure<E = Erased> {
    door: Door,
    decode: fn(&FailureRecord) -> Option<E>,
    error: PhantomData<fn() -> E>,
}

impl<E> Failure<E> {
    /// The view of a record, for callers whose contract has the error type of the codec.
    #[must_use]
    pub fn new(record: impl Into<Arc<FailureRecord>>, codec: ErrorCodec<E>) -> Self {
        Self {
            door: Door(Shared::new(record.into())),
            decode: codec.decode,
            error: PhantomData,
        }
    }

    /// The user's own error. None when the failure is of another kind than
    /// [`Failed`](FailureKind::Failed), and for errors that do not travel typed (see
    /// [`TaskError`]).
    #[must_use]
    pub fn error(&self) -> Option<E> {
        let record = self.record();
        (record.kind == FailureKind::Failed)
            .then(|| (self.decode)(record))
            .flatten()
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.record().kind
    }

    /// The error in words, without what failed and how often.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.record().message
    }

    /// The task or step that failed; none when it was something else.
    #[must_use]
    pub fn task_id(&self) -> Option<TaskId> {
        match self.record().origin.as_ref()? {
            Origin::Task { id, .. } | Origin::Step { id, .. } => Some(*id),
            Origin::Instance { .. } => None,
        }
    }

    /// The instance that failed, or whose task or step failed; none when that is unknown.
    #[must_use]
    pub fn instance_id(&self) -> Option<InstanceId> {
        match self.record().origin.as_ref()? {
            Origin::Task { id, .. } | Origin::Step { id, .. } => Some(id.instance),
            Origin::Instance { id, .. } => Some(*id),
        }
    }

    /// The worker that made the task's last attempt.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        match self.record().origin.as_ref()? {
            Origin::Task { worker, .. } => Some(worker),
            Origin::Step { .. } | Origin::Instance { .. } => None,
        }
    }

    /// How many attempts were made of the task or step; 0 for what is not attempted.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self.record().origin {
            Some(Origin::Task { attempts, .. } | Origin::Step { attempts, .. }) => attempts,
            Some(Origin::Instance { .. }) | None => 0,
        }
    }

    /// How the attempts before the last one failed, in words, oldest first.
    #[must_use]
    pub fn previous(&self) -> &[String] {
        &self.record().previous
    }

    /// Where a panic happened, with the backtrace if `RUST_BACKTRACE` asked for one.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.record().backtrace.as_deref()
    }

    /// The failure that led to this one: of a task, seen by the workflow that failed by it.
    #[must_use]
    pub fn cause(&self) -> Option<Failure> {
        let cause = self.record().cause.as_deref()?;
        Some(Failure::from_record(cause.clone()))
    }

    /// All that is recorded of it.
    #[must_use]
    pub fn record(&self) -> &Arc<FailureRecord> {
        self.door.0.record()
    }

    /// The same failure with the error type forgotten.
    #[must_use]
    pub fn erase(self) -> Failure {
        Failure {
            door: self.door,
            decode: no_error,
            error: PhantomData,
        }
    }
}

impl Failure {
    /// The view of a record whose error type is not known.
    #[must_use]
    pub fn from_record(record: impl Into<Arc<FailureRecord>>) -> Self {
        Self {
            door: Door(Shared::new(record.into())),
            decode: no_error,
            error: PhantomData,
        }
    }

    /// The user's own error, if it is an `E`: its type has that name and its value decodes as one.
    ///
    /// ```
    /// # use infinitic_core::{FailureKind, FailureRecord};
    /// # use infinitic_runtime::failure::{Error, Failure};
    /// let failure = Failure::from_record(FailureRecord::new(FailureKind::TimedOut, "no answer"));
    /// assert!(failure.error_as::<Error>().is_none());
    /// ```
    #[must_use]
    pub fn error_as<E: TaskError>(&self) -> Option<E> {
        let record = self.record();
        (record.kind == FailureKind::Failed && record.name == short_type_name::<E>())
            .then(|| codec::decode::<E>(record))
            .flatten()
    }

    fn shared(&self) -> &Shared {
        &self.door.0
    }

    fn from_shared(shared: Shared) -> Self {
        Self {
            door: Door(shared),
            decode: no_error,
            error: PhantomData,
        }
    }
}

fn no_error<E>(_: &FailureRecord) -> Option<E> {
    None
}

impl<E> Clone for Failure<E> {
    fn clone(&self) -> Self {
        Self {
            door: self.door.clone(),
            decode: self.decode,
            error: PhantomData,
        }
    }
}

impl<E> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.door.0, f)
    }
}

impl<E> fmt::Debug for Failure<E> {
    /// The line of `Display` and the chain of causes; `{:#?}` shows the record itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.door.0, f)
    }
}

impl<E> std::error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.door.0.source()
    }

    /// No cause, but the way to the record for those who do not know `E`; see `Door`.
    #[allow(deprecated)]
    fn cause(&self) -> Option<&dyn std::error::Error> {
        Some(&self.door)
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.record() == other.record()
    }
}

impl Eq for Failure {}

/// So that a method may return the failure of its last call as it is.
impl TaskError for Failure {
    fn failure(&self) -> Option<&Failure> {
        Some(self)
    }
}

// `Erased` is no `std::error::Error`, so that this is not the reflexive conversion again.
impl<E: std::error::Error> From<Failure<E>> for Failure {
    fn from(failure: Failure<E>) -> Self {
        failure.erase()
    }
}

impl From<Failure<Error>> for Failure {
    fn from(failure: Failure<Error>) -> Self {
        failure.erase()
    }
}
