//! How errors show a wrong value, and when they do not.

use std::fmt;

use crate::config::tree::{Form, Value};

/// Characters of a wrong value that an error shows.
const SHOWN_MAX: usize = 60;

/// What a key takes, as far as errors differ.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    /// A text.
    Text,
    /// A text that is not printed.
    Secret,
    /// A number or a flag.
    Number,
    /// Something else, with quotes or without.
    Other,
}

/// What to change on a value that has the right letters and the wrong type.
pub(super) fn hint(value: &Value, wanted: Wanted) -> &'static str {
    match value {
        Value::Scalar(scalar)
            if scalar.form == Form::Typed && matches!(wanted, Wanted::Text | Wanted::Secret) =>
        {
            " in quotes"
        }
        // A text that would be right without its quotes, or is meant to be.
        Value::Scalar(scalar)
            if scalar.form == Form::Text
                && scalar.variables.is_empty()
                && wanted == Wanted::Number =>
        {
            " without quotes"
        }
        _ => "",
    }
}

/// A wrong value as an error shows it.
pub(super) struct Shown<'v>(pub(super) &'v Value, pub(super) Wanted);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value::Scalar(scalar) = self.0 else {
            return f.write_str(shape(self.0));
        };
        if let Some(variable) = scalar.variables.first() {
            // It may be a password that a slip has put here.
            return write!(f, "has a wrong value from `${{{variable}}}`");
        }
        if self.1 == Wanted::Secret {
            return f.write_str("has a wrong value (not shown)");
        }
        let mut shown: String = scalar.text.chars().take(SHOWN_MAX).collect();
        if shown.len() < scalar.text.len() {
            shown.push('…');
        }
        match scalar.form {
            Form::Text => write!(f, "is the text {shown:?}"),
            Form::Plain | Form::Typed => write!(f, "is `{shown}`"),
        }
    }
}

/// What a value is, in an error.
pub(super) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "has no value",
        Value::Scalar(_) | Value::Broken => "is a single value",
        Value::List(_) => "is a list",
        Value::Map(_) => "is a mapping",
    }
}
