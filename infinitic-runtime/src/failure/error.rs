//! The prelude's catch-all error, for code that has no error type of its own.

use std::error::Error as StdError;
use std::fmt;

use infinitic_core::{FailureKind, FailureRecord};

use super::chain::{failure_in, sources, write_chain};
use super::codec::{ErrorForm, TaskError};
use super::{Failure, short_type_name};

/// A result whose error is [`Error`] unless another one is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error: everything that is a `std::error::Error` converts into it by `?`.
///
/// It travels as name, message and chain of sources, so its receiver cannot take it apart; an error
/// type that derives [`TaskError`] travels typed. Made from a [`Failure`], it keeps it as its
/// cause.
///
/// ```
/// use infinitic_runtime::failure::{Error, Result};
/// fn parse(text: &str) -> Result<u32> {
///     if text.is_empty() {
///         return Err(Error::msg("nothing to parse"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().to_string(), "nothing to parse");
/// assert!(parse("x").is_err());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    name: String,
    error: Box<dyn StdError + Send + Sync>,
    failure: Option<Failure>,
}

impl Error {
    /// An error that is nothing but words.
    #[must_use]
    pub fn msg(message: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            name: String::new(),
            error: message.to_string().into(),
            failure: None,
        }))
    }

    /// The error that this was made from, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.error.downcast_ref()
    }

    /// What led to it, as `std::error::Error::source` tells.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.error.source()
    }
}

// `Error` itself is no `std::error::Error`: else this would be the reflexive conversion again.
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(Inner {
            name: short_type_name::<E>(),
            failure: failure_in(&error).map(Failure::from_shared),
            error: Box::new(error),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.error, f)
    }
}

impl fmt::Debug for Error {
    /// The message and the chain of sources.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_chain(f, &*self.0.error)
    }
}

impl TaskError for Error {
    fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }
}

impl ErrorForm for Error {
    fn to_record(&self) -> FailureRecord {
        let mut record = FailureRecord::new(FailureKind::Failed, self.to_string());
        record.name.clone_from(&self.0.name);
        record.sources = sources(&*self.0.error);
        record
    }

    fn from_record(_: &FailureRecord) -> Option<Self> {
        None
    }
}
