//! Bounds that the macros check at the user's types, so that the compiler speaks at the right
//! place.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be an argument of a task or workflow method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as an argument",
    label = "add `#[derive(Serialize, Deserialize)]` to `{Self}`",
    note = "arguments travel as JSON: they are owned (no references), `Serialize`, `Deserialize`, \
            `Send` and `'static`"
)]
pub trait Argument: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Argument for T {}

/// What a task or workflow method can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a result",
    label = "add `#[derive(Serialize, Deserialize)]` to `{Self}`",
    note = "results travel as JSON: they are owned (no references), `Serialize`, `Deserialize`, \
            `Send` and `'static`"
)]
pub trait Value: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Value for T {}

/// Compiles where `T` can be an argument.
pub const fn assert_argument<T: Argument>() {}

/// Compiles where `T` can be returned.
pub const fn assert_value<T: Value>() {}

/// The two types in a `Result`, also when an alias hides them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named like a `Result` but is none",
    label = "write `Result<T, E>`, or give the type another name"
)]
pub trait ResultParts {
    /// What is returned when all is well.
    type Value;
    /// What is returned when it is not.
    type Error;
}

impl<T, E> ResultParts for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// Tells whether a type is a `Result`: `ReturnProbe::<R>::IS_RESULT`, with [`NotResult`] in scope.
/// (A type's own constant is preferred to a trait's.)
#[derive(Debug)]
pub struct ReturnProbe<R>(PhantomData<R>);

impl<T, E> ReturnProbe<Result<T, E>> {
    /// It is one.
    pub const IS_RESULT: bool = true;
}

/// The answer of [`ReturnProbe`] for everything that is no `Result`.
pub trait NotResult {
    /// It is none.
    const IS_RESULT: bool = false;
}

impl<R> NotResult for ReturnProbe<R> {}

/// Refuses at compile time a `Result` that hides behind an alias without that word in its name.
///
/// # Panics
/// When the type is a `Result`, which stops the compilation.
pub const fn assert_plain_return(is_result: bool) {
    assert!(
        !is_result,
        "the return type is a `Result` behind an alias whose name does not say so: the macro \
         cannot see the error type; write `Result<T, E>`, or an alias that is named `Result`"
    );
}
