//! Answers of the server as what they mean.

use ::redis::Value;

use crate::backend::StoreError;

/// An answer of a shape that no script of ours gives: a proxy in between, or another server.
pub(super) fn odd(wanted: &str, value: &Value) -> StoreError {
    let shape = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    StoreError::Damaged(format!(
        "Redis answers {shape} where {wanted} belongs; its keys were changed by something else, or \
         what answers is no Redis; restore them, or give each program a prefix of its own"
    ))
}

/// A list.
pub(super) fn list(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        other => Err(odd("a list", &other)),
    }
}

/// A list of a known length.
pub(super) fn tuple<const N: usize>(value: Value) -> Result<[Value; N], StoreError> {
    let items = list(value)?;
    items
        .try_into()
        .map_err(|items| odd("a list of another length", &Value::Array(items)))
}

/// Bytes, or nothing.
pub(super) fn optional(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        other => Err(odd("a text", &other)),
    }
}

/// Bytes.
pub(super) fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    optional(value)?.ok_or_else(|| odd("a text", &Value::Nil))
}

/// Text, or nothing.
pub(super) fn optional_text(value: Value) -> Result<Option<String>, StoreError> {
    let Some(bytes) = optional(value)? else {
        return Ok(None);
    };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|bytes| odd("readable text", &Value::BulkString(bytes.into_bytes())))
}

/// Text.
pub(super) fn text(value: Value) -> Result<String, StoreError> {
    optional_text(value)?.ok_or_else(|| odd("a text", &Value::Nil))
}

/// A number, as such or in digits.
pub(super) fn number<T: TryFrom<i64>>(value: Value) -> Result<T, StoreError> {
    let number = match &value {
        Value::Int(number) => Some(*number),
        Value::BulkString(digits) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| odd("a number", &value))
}

/// A number, or nothing.
pub(super) fn optional_number<T: TryFrom<i64>>(value: Value) -> Result<Option<T>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        other => number(other).map(Some),
    }
}
