//! Recorded outcomes as workflow code sees them: typed values, typed failures.

use infinitic_core::{CommandId, FailureKind, FailureRecord, Outcome};
use serde::de::DeserializeOwned;

use crate::contract::decode_value;
use crate::failure::{ErrorCodec, Failure};

/// The result that an awaited call gives.
pub(crate) fn to_result<T: DeserializeOwned, E>(
    outcome: Outcome,
    id: Option<CommandId>,
    codec: ErrorCodec<E>,
) -> Result<T, Failure<E>> {
    let record = match outcome {
        Outcome::Value(value) => match decode_value::<T>(&value) {
            Ok(value) => return Ok(value),
            Err(undecodable) => FailureRecord::from(undecodable),
        },
        Outcome::Failed(record) => *record,
        Outcome::TimedOut => plain(FailureKind::TimedOut, "the caller's limit ran out", id),
        Outcome::Cancelled => plain(FailureKind::Cancelled, "the call was cancelled", id),
        Outcome::UnknownInstance => plain(
            FailureKind::UnknownInstance,
            "there is no such instance",
            id,
        ),
        Outcome::StartRefused(reason) => plain(FailureKind::Refused, &reason, id),
        Outcome::Attached(_)
        | Outcome::Due
        | Outcome::Signal(_)
        | Outcome::PropertiesChanged(_) => plain(
            FailureKind::Refused,
            "the wait ended with something that is no result",
            id,
        ),
    };
    Err(Failure::new(record, codec))
}

fn plain(kind: FailureKind, message: &str, id: Option<CommandId>) -> FailureRecord {
    let message = match id {
        Some(id) => format!("{message} (task {id})"),
        None => message.to_owned(),
    };
    FailureRecord::new(kind, message)
}
