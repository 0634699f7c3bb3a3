//! What `?` does when the failure of a call meets the error type of the caller.

use super::{Failure, converted};

/// Takes the callee's own error out of a failure; gives the failure back when there is none in it.
///
/// # Errors
/// The failure, when it is of another kind (time limits, panics, …) or its error does not travel
/// typed.
pub fn own_error<X>(failure: Failure<X>) -> Result<X, Failure> {
    match failure.error() {
        Some(error) => {
            converted::note(failure.record());
            Ok(error)
        }
        None => Err(failure.erase()),
    }
}

/// Not implemented by any type: `#[derive(TaskError)]` asks for it where an enum has no variant
/// that takes failures, so that the compiler says which one to add.
#[diagnostic::on_unimplemented(
    message = "`?` cannot turn a `Failure<{X}>` into `{Self}`",
    label = "add a variant `Call(#[from] Failure)` to `{Self}`: a call can also time out or panic",
    note = "add a variant `Call(#[from] Failure)` to `{Self}`; with thiserror: \
            `#[error(transparent)] Call(#[from] Failure)`",
    note = "a variant `#[from] {X}` then takes the callee's own errors, `Call` everything else"
)]
pub trait FromFailure<X>: Sized {
    /// The error that stands for a failure.
    fn from_failure(failure: Failure<X>) -> Self;
}
