//! The error of what cannot fail.

use std::fmt;

/// The error type of contract methods that return a plain value. There is no value of it.
///
/// A call of such a method still gives a `Result<T, Failure<Never>>`: a worker may panic, time out
/// or meet a value that does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}
