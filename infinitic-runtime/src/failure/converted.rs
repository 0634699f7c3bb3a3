//! What `?` would lose: the record behind an error that was taken out of its failure.
//!
//! `payments.charge(..).await?` in a method that returns `PaymentError` leaves nothing but the
//! `PaymentError`: which task failed, where and how often is gone. So the conversion leaves the
//! record in a thread local, and what ends the method attaches it as the cause, if the method's
//! error is plainly that one. One record is kept: the last.

use std::cell::RefCell;
use std::sync::Arc;

use infinitic_core::FailureRecord;

thread_local! {
    static LAST: RefCell<Option<Arc<FailureRecord>>> = const { RefCell::new(None) };
}

/// Remembers the record of a failure whose error was just taken out of it.
pub fn note(record: &Arc<FailureRecord>) {
    LAST.replace(Some(Arc::clone(record)));
}

/// Gives the last noted record, and forgets it.
#[must_use]
pub fn take() -> Option<Arc<FailureRecord>> {
    LAST.take()
}

/// Forgets it: other code is about to run on this thread.
pub fn clear() {
    LAST.take();
}

/// Makes the last noted record the cause of `record`, if it has none and its message, sources or
/// value hold the noted message: an error that was caught is not the cause of a later, unrelated
/// one.
pub fn attach(record: &mut FailureRecord) {
    let Some(noted) = take() else {
        return;
    };
    if record.cause.is_none() && stems_from(record, &noted) {
        record.cause = Some(Box::new(Arc::unwrap_or_clone(noted)));
    }
}

fn stems_from(record: &FailureRecord, noted: &FailureRecord) -> bool {
    if record.error.is_some() && record.error == noted.error {
        return true;
    }
    let message = noted.message.as_str();
    if message.is_empty() {
        return false;
    }
    record.message.contains(message)
        || record.sources.iter().any(|source| source.contains(message))
        || record
            .error
            .as_ref()
            .is_some_and(|error| error.as_str().contains(message))
}
