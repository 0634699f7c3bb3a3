//! A failure inside of a user's own value: the JSON form of `Failure`.
//!
//! The usual place is a variant `Call(#[from] Failure)` of an error enum. That failure is recorded
//! as the error's cause already; written out again within the error's value, a chain of `n`
//! workflows would grow to `2^n` failures. So while an error is encoded or decoded, its cause is
//! kept in a thread local, and in the value a short marker stands for it.

use std::cell::RefCell;

use infinitic_core::{FailureKind, FailureRecord, Origin, Payload};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Failure;

/// Stands for the cause of the error that is being encoded.
const CAUSE_MARKER: &str = "$cause";

thread_local! {
    static CAUSE: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Runs `work` while `cause` is what the marker stands for.
pub(super) fn with_cause<T>(cause: Option<Failure>, work: impl FnOnce() -> T) -> T {
    /// Puts the outer cause back, also when user code panics.
    struct Restore(Option<Failure>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CAUSE.replace(self.0.take());
        }
    }
    let _restore = Restore(CAUSE.replace(cause));
    work()
}

/// The error's value: as JSON where that loses nothing, else as the text of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ErrorValue {
    Json(serde_json::Value),
    Text(String),
}

#[derive(Serialize, Deserialize)]
struct Form {
    kind: FailureKind,
    name: String,
    message: String,
    error: Option<ErrorValue>,
    sources: Vec<String>,
    origin: Option<Origin>,
    cause: Option<Box<Self>>,
    backtrace: Option<String>,
    previous: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Marker(String),
    Record(Box<Form>),
}

impl ErrorValue {
    fn of(payload: &Payload) -> Self {
        let text = payload.as_str();
        match serde_json::from_str::<serde_json::Value>(text) {
            // Numbers beyond 64 bits lose digits as a `Value`; the length tells.
            Ok(value) if value.to_string().len() == text.len() => Self::Json(value),
            _ => Self::Text(text.to_owned()),
        }
    }

    fn into_payload(self) -> Payload {
        Payload::from_json(match self {
            Self::Json(value) => value.to_string(),
            Self::Text(text) => text,
        })
    }
}

impl Form {
    fn of(record: &FailureRecord) -> Self {
        Self {
            kind: record.kind,
            name: record.name.clone(),
            message: record.message.clone(),
            error: record.error.as_ref().map(ErrorValue::of),
            sources: record.sources.clone(),
            origin: record.origin.clone(),
            cause: record
                .cause
                .as_deref()
                .map(|cause| Box::new(Self::of(cause))),
            backtrace: record.backtrace.clone(),
            previous: record.previous.clone(),
        }
    }

    fn into_record(self) -> FailureRecord {
        FailureRecord {
            kind: self.kind,
            name: self.name,
            message: self.message,
            error: self.error.map(ErrorValue::into_payload),
            sources: self.sources,
            origin: self.origin,
            cause: self.cause.map(|cause| Box::new(cause.into_record())),
            backtrace: self.backtrace,
            previous: self.previous,
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_cause = CAUSE.with_borrow(|cause| {
            cause
                .as_ref()
                .is_some_and(|cause| cause.shared().is(self.shared()))
        });
        if is_cause {
            return serializer.serialize_str(CAUSE_MARKER);
        }
        Form::of(self.record()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Wire::deserialize(deserializer)? {
            Wire::Record(form) => Ok(Self::from_record(form.into_record())),
            Wire::Marker(text) if text == CAUSE_MARKER => CAUSE
                .with_borrow(Clone::clone)
                .ok_or_else(|| D::Error::custom("the failure's cause is not recorded beside it")),
            Wire::Marker(text) => Err(D::Error::custom(format!("`{text}` is not a failure"))),
        }
    }
}
