//! How errors of user code become records, and typed errors again.
//!
//! Three kinds of error types, the best one that fits is taken by
//! [`error_codec!`](crate::error_codec):
//!
//! 1. [`TaskError`]: its value travels as JSON and arrives typed;
//! 2. any other `std::error::Error`: travels as name, message and chain of sources;
//! 3. anything else is refused by the compiler, with a word on what to derive.

use std::error::Error as StdError;
use std::fmt;

use infinitic_core::{FailureKind, FailureRecord, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::chain::{causes, failure_in, line, sources};
use super::{Failure, Never, form, short_type_name};

/// What an error asks of the retry policy; written on its variants by `#[fatal]` and
/// `#[retry(after = "…")]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryHint {
    /// The task's policy decides.
    Policy,
    /// No further attempt.
    Never,
    /// The next attempt after so many milliseconds, instead of the policy's pause.
    AfterMs(u64),
}

/// An error type that travels typed: from the task to the workflow and to the client, through
/// replay.
///
/// Derive it; `#[fatal]` and `#[retry(after = "10s")]` on a variant say what it asks of the retry
/// policy, and a variant marked `#[from] Failure` takes what else can go wrong with calls.
pub trait TaskError: ErrorForm {
    /// What this error asks of the retry policy.
    fn retry_hint(&self) -> RetryHint {
        RetryHint::Policy
    }

    /// The failure inside of it that led to it, if there is one.
    fn failure(&self) -> Option<&Failure> {
        None
    }
}

/// How an error type is written down. All types that `TaskError` is derived for have it, by their
/// `Serialize` and `Deserialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as a typed error",
    label = "it needs `std::error::Error`, `Serialize`, `Deserialize`, `Send`, `Sync`, `'static`",
    note = "write `#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]`"
)]
pub trait ErrorForm: Sized + Send + Sync + 'static {
    /// Name, message, sources and, if it travels, the value.
    #[doc(hidden)]
    fn to_record(&self) -> FailureRecord;

    /// The error from a record's value.
    #[doc(hidden)]
    fn from_record(record: &FailureRecord) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<E> ErrorForm for E
where
    E: StdError + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn to_record(&self) -> FailureRecord {
        let mut record = described(self);
        match serde_json::to_vec(self) {
            Ok(json) => record.error = Some(Payload::from_json(json)),
            // The error itself matters more than its value: it arrives untyped.
            Err(error) => record
                .sources
                .push(format!("its value could not be encoded: {error}")),
        }
        record
    }

    fn from_record(record: &FailureRecord) -> Option<Self> {
        serde_json::from_slice(record.error.as_ref()?.as_bytes()).ok()
    }
}

/// An error as name, message and sources.
fn described<E: StdError>(error: &E) -> FailureRecord {
    let mut record = FailureRecord::new(FailureKind::Failed, error.to_string());
    record.name = short_type_name::<E>();
    record.sources = sources(error);
    record
}

/// How an error type is encoded and decoded: two functions, chosen at compile time.
pub struct ErrorCodec<E> {
    /// The record of an error, without where it happened, and what it asks of the retry policy.
    pub encode: fn(&E) -> (FailureRecord, RetryHint),
    /// The error of a record; none when it did not travel typed.
    pub decode: fn(&FailureRecord) -> Option<E>,
}

impl<E> Clone for ErrorCodec<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for ErrorCodec<E> {}

impl<E> fmt::Debug for ErrorCodec<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCodec<{}>", short_type_name::<E>())
    }
}

impl ErrorCodec<Never> {
    /// The codec of methods that cannot fail.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            encode: |never| match *never {},
            decode: |_| None,
        }
    }
}

impl<E: TaskError> ErrorCodec<E> {
    /// The codec of an error that travels typed.
    #[must_use]
    pub const fn typed() -> Self {
        Self {
            encode: encode::<E>,
            decode: decode::<E>,
        }
    }
}

impl<E: StdError + Send + Sync + 'static> ErrorCodec<E> {
    /// The codec of an error that travels in words.
    #[must_use]
    pub const fn in_words() -> Self {
        Self {
            encode: |error| {
                let cause = failure_in(error).map(Failure::from_shared);
                (
                    with_cause(described(error), cause.as_ref()),
                    RetryHint::Policy,
                )
            },
            decode: |_| None,
        }
    }
}

fn encode<E: TaskError>(error: &E) -> (FailureRecord, RetryHint) {
    let cause = error.failure();
    let record = form::with_cause(cause.cloned(), || error.to_record());
    (with_cause(record, cause), error.retry_hint())
}

pub(super) fn decode<E: TaskError>(record: &FailureRecord) -> Option<E> {
    let cause = record
        .cause
        .as_deref()
        .map(|cause| Failure::from_record(cause.clone()));
    form::with_cause(cause, || E::from_record(record))
}

/// Attaches the cause, and takes out of the sources what the cause tells itself.
fn with_cause(mut record: FailureRecord, cause: Option<&Failure>) -> FailureRecord {
    let Some(cause) = cause else {
        return record;
    };
    let cause = cause.record();
    let mut told = vec![line(cause)];
    told.extend(causes(cause));
    let kept = (0..=record.sources.len())
        .find(|&kept| told.ends_with(&record.sources[kept..]))
        .expect("every list ends with the empty one");
    record.sources.truncate(kept);
    record.cause = Some(Box::new(FailureRecord::clone(cause)));
    record
}

/// The choice among the three kinds of error types, by the order in which the compiler looks for a
/// method: with fewest references taken first.
#[doc(hidden)]
pub mod probe {
    use std::marker::PhantomData;

    use super::{ErrorCodec, StdError, TaskError};

    #[derive(Debug)]
    pub struct CodecProbe<E>(PhantomData<E>);

    impl<E> CodecProbe<E> {
        #[must_use]
        #[allow(clippy::new_without_default)] // Nobody but the macro makes one.
        pub const fn new() -> Self {
            Self(PhantomData)
        }
    }

    pub trait Typed<E> {
        fn codec(&self) -> ErrorCodec<E>;
    }

    impl<E: TaskError> Typed<E> for &&CodecProbe<E> {
        fn codec(&self) -> ErrorCodec<E> {
            ErrorCodec::<E>::typed()
        }
    }

    pub trait InWords<E> {
        fn codec(&self) -> ErrorCodec<E>;
    }

    impl<E: StdError + Send + Sync + 'static> InWords<E> for &CodecProbe<E> {
        fn codec(&self) -> ErrorCodec<E> {
            ErrorCodec::<E>::in_words()
        }
    }

    pub trait Refused<E> {
        fn codec(&self) -> ErrorCodec<E>
        where
            E: MethodError;
    }

    impl<E> Refused<E> for CodecProbe<E> {
        fn codec(&self) -> ErrorCodec<E>
        where
            E: MethodError,
        {
            E::unreachable()
        }
    }

    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be the error of a task or workflow method",
        label = "it is no `std::error::Error` (that is also `Send`, `Sync` and `'static`)",
        note = "write `#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]` on \
                it, or return the prelude's `Error`, which takes any error by `?`"
    )]
    pub trait MethodError: Sized {
        fn unreachable() -> ErrorCodec<Self>;
    }
}

/// The [`ErrorCodec`] of an error type: typed, in words, or a compile error that says what to
/// derive.
#[doc(hidden)]
#[macro_export]
macro_rules! error_codec {
    ($error:ty) => {{
        #[allow(unused_imports)]
        use $crate::failure::codec::probe::{InWords as _, Refused as _, Typed as _};
        (&&&$crate::failure::codec::probe::CodecProbe::<$error>::new()).codec()
    }};
}
