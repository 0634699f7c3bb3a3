//! Failures there and back, in words, and across `?`.

use std::error::Error as StdError;

use infinitic_core::names::{ServiceName, TaskName};
use infinitic_core::{FailureKind, FailureRecord, InstanceId, Origin, Timestamp};
use serde::{Deserialize, Serialize};

use super::*;
use crate::error_codec;

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum PaymentError {
    #[error("declined: {0}")]
    Declined(String),
    #[error("bank busy")]
    Busy,
    #[error("ledger")]
    Call(#[source] Failure),
}

impl TaskError for PaymentError {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Declined(_) => RetryHint::Never,
            Self::Busy => RetryHint::AfterMs(10),
            Self::Call(_) => RetryHint::Policy,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Call(failure) => Some(failure),
            Self::Declined(_) | Self::Busy => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum OrderError {
    #[error("payment: {0}")]
    Payment(PaymentError),
    #[error(transparent)]
    Call(#[from] Failure),
}

impl TaskError for OrderError {
    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Call(failure) => Some(failure),
            Self::Payment(_) => None,
        }
    }
}

impl From<Failure<PaymentError>> for OrderError {
    fn from(failure: Failure<PaymentError>) -> Self {
        match own_error(failure) {
            Ok(error) => Self::Payment(error),
            Err(failure) => Self::Call(failure),
        }
    }
}

impl From<Failure<Never>> for OrderError {
    fn from(failure: Failure<Never>) -> Self {
        Self::Call(failure.into())
    }
}

fn task_origin() -> Origin {
    let instance = InstanceId::new(Timestamp::from_millis(1_700_000_000_000), 1, 2);
    Origin::Task {
        id: format!("{instance}.0.0.3").parse().unwrap(),
        service: ServiceName::known("Payments"),
        task: TaskName::known("charge"),
        worker: "w1".to_owned(),
        attempts: 5,
    }
}

/// What a caller sees when a task returned this error.
fn failed<E>(error: &E, codec: ErrorCodec<E>) -> Failure<E> {
    let (record, _) = (codec.encode)(error);
    Failure::new(record.at(task_origin()), codec)
}

fn lines(error: &dyn StdError) -> Vec<String> {
    chain::sources(error)
}

#[test]
fn typed_errors_arrive_typed_with_their_surroundings() {
    let error = PaymentError::Declined("no funds".to_owned());
    let failure = failed(&error, error_codec!(PaymentError));
    assert_eq!(failure.error(), Some(error.clone()));
    assert_eq!(failure.kind(), FailureKind::Failed);
    assert_eq!(failure.worker(), Some("w1"));
    assert_eq!(failure.attempts(), 5);
    assert_eq!(failure.record().name, "PaymentError");
    let id = failure.task_id().unwrap();
    assert_eq!(failure.instance_id(), Some(id.instance));
    assert_eq!(
        failure.to_string(),
        format!("task Payments.charge (id {id}) failed after 5 attempts: declined: no funds")
    );
    assert_eq!(failure.erase().error_as::<PaymentError>(), Some(error));
}

#[test]
fn the_codec_is_the_best_that_fits() {
    let (record, hint) = (error_codec!(PaymentError).encode)(&PaymentError::Busy);
    assert_eq!(record.error.unwrap().as_str(), r#""Busy""#);
    assert_eq!(hint, RetryHint::AfterMs(10));

    let error = "x".parse::<u32>().unwrap_err();
    let failure = failed(&error, error_codec!(std::num::ParseIntError));
    assert_eq!(failure.record().name, "ParseIntError");
    assert_eq!(failure.message(), "invalid digit found in string");
    assert_eq!(failure.error(), None);

    let failure = failed(&Error::msg("words"), error_codec!(Error));
    assert_eq!(failure.message(), "words");
    assert!(failure.error().is_none());

    let codec = ErrorCodec::never();
    let record = FailureRecord::new(FailureKind::Panicked, "boom").at(task_origin());
    assert_eq!(Failure::new(record, codec).error(), None);
}

#[test]
fn an_error_with_a_failure_inside_keeps_it_once() {
    let inner = failed(&PaymentError::Busy, error_codec!(PaymentError));
    let middle = failed(
        &PaymentError::Call(inner.clone().erase()),
        error_codec!(PaymentError),
    );
    let outer_error = OrderError::Call(middle.clone().erase());
    let outer = failed(&outer_error, error_codec!(OrderError));

    assert_eq!(outer.error(), Some(outer_error));
    assert_eq!(
        outer.record().error.as_ref().unwrap().as_str(),
        r#"{"Call":"$cause"}"#
    );
    let cause = outer.cause().unwrap();
    assert_eq!(cause, middle.clone().erase());
    assert_eq!(cause.cause().unwrap(), inner.clone().erase());
    assert_eq!(lines(&outer), [inner.to_string()]);
    assert_eq!(lines(&middle), [inner.to_string()]);
}

#[test]
fn a_failure_is_data_of_its_own() {
    let inner = failed(&PaymentError::Busy, error_codec!(PaymentError)).erase();
    let outer = failed(&PaymentError::Call(inner), error_codec!(PaymentError)).erase();
    let json = serde_json::to_string(&outer).unwrap();
    assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), outer);
    assert!(serde_json::from_str::<Failure>(r#""$cause""#).is_err());

    let mut record = FailureRecord::new(FailureKind::Failed, "wide");
    let wide = infinitic_core::Payload::from_json(u128::MAX.to_string());
    record.error = Some(wide);
    let wide = Failure::from_record(record);
    let json = serde_json::to_string(&wide).unwrap();
    assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), wide);
}

#[test]
fn the_question_mark_takes_own_errors_and_failures() {
    fn by_own(failure: Failure<PaymentError>) -> Result<(), OrderError> {
        Err(failure)?
    }
    fn by_never(failure: Failure<Never>) -> Result<(), OrderError> {
        Err(failure)?
    }
    let failure = failed(&PaymentError::Busy, error_codec!(PaymentError));
    let own = by_own(failure).unwrap_err();
    assert_eq!(own, OrderError::Payment(PaymentError::Busy));

    let late = FailureRecord::new(FailureKind::TimedOut, "no answer").at(task_origin());
    let late = Failure::new(late, error_codec!(PaymentError));
    assert_eq!(
        by_own(late.clone()).unwrap_err(),
        OrderError::Call(late.clone().erase())
    );
    let late = Failure::new(FailureRecord::clone(late.record()), ErrorCodec::never());
    assert_eq!(
        by_never(late.clone()).unwrap_err(),
        OrderError::Call(late.erase())
    );
}

#[test]
fn what_the_question_mark_loses_is_attached_as_the_cause() {
    converted::clear();
    let failure = failed(&PaymentError::Busy, error_codec!(PaymentError));
    let codec = error_codec!(OrderError);

    let (mut record, _) = (codec.encode)(&OrderError::from(failure.clone()));
    converted::attach(&mut record);
    assert_eq!(record.cause.as_deref(), Some(&**failure.record()));

    // Caught, and followed by another error: no cause.
    let _caught = OrderError::from(failure);
    let unrelated = OrderError::Payment(PaymentError::Declined("no funds".to_owned()));
    let (mut record, _) = (codec.encode)(&unrelated);
    converted::attach(&mut record);
    assert_eq!(record.cause, None);
    assert!(converted::take().is_none());
}

#[test]
fn the_catch_all_keeps_the_failure_that_it_was_made_from() {
    fn method(failure: Failure<PaymentError>) -> Result<()> {
        Err(failure)?
    }
    let failure = failed(&PaymentError::Busy, error_codec!(PaymentError));
    let error = method(failure.clone()).unwrap_err();
    assert_eq!(error.to_string(), failure.to_string());
    let seen = failed(&error, error_codec!(Error));
    assert_eq!(seen.cause().unwrap(), failure.clone().erase());
    // The line of the cause is the message already.
    assert!(lines(&seen).is_empty());

    // Also behind an error that is not ours.
    let wrapped = std::io::Error::other(failure.clone());
    let seen = failed(&Error::from(wrapped), error_codec!(Error));
    assert_eq!(seen.cause().unwrap(), failure.erase());
}

#[test]
fn debug_shows_the_chain() {
    let inner = failed(&PaymentError::Busy, error_codec!(PaymentError)).erase();
    let outer = failed(&PaymentError::Call(inner), error_codec!(PaymentError));
    let text = format!("{outer:?}");
    assert!(
        text.contains("5 attempts: ledger\n\nCaused by:\n  0: task Payments.charge"),
        "{text}"
    );
    let text = format!("{:?}", Error::from(outer));
    assert!(
        text.contains("Caused by:\n  0: task Payments.charge"),
        "{text}"
    );
    assert!(format!("{:?}", Error::msg("alone")) == "alone");
}

#[test]
fn failures_of_failures_travel_too() {
    let inner = failed(&PaymentError::Busy, error_codec!(PaymentError)).erase();
    let outer = failed(&inner, error_codec!(Failure));
    assert_eq!(outer.error(), Some(inner));
}

#[test]
fn lines_say_what_is_known() {
    let line = |record: FailureRecord| Failure::from_record(record).to_string();
    let new = FailureRecord::new;
    assert_eq!(
        line(new(FailureKind::Refused, "no such method")),
        "no such method"
    );
    assert_eq!(line(new(FailureKind::TimedOut, "")), "timed out");
    let instance = InstanceId::new(Timestamp::from_millis(1_700_000_000_000), 1, 2);
    let origin = Origin::Instance {
        id: instance,
        workflow: infinitic_core::names::WorkflowName::known("Orders"),
    };
    assert_eq!(
        line(new(FailureKind::Stopped, "").at(origin)),
        format!("workflow Orders (id {instance}) stands still")
    );
}

#[test]
fn results_are_told_from_plain_values() {
    type Hidden = std::result::Result<u8, PaymentError>;
    const { assert!(ReturnProbe::<Hidden>::IS_RESULT) };
    const { assert_plain_return(ReturnProbe::<Vec<u8>>::IS_RESULT) };
    fn parts<R: ResultParts<Value = u8, Error = PaymentError>>() {}
    parts::<Hidden>();
    assert_argument::<Vec<String>>();
    assert_value::<()>();
}
