//! Panics of user code as values: message, place, and backtrace if one was asked for.
//!
//! `catch_unwind` alone tells neither the place nor keeps the default hook from printing. So the
//! first capture wraps the process's panic hook once; inside of a capture the wrapper writes down
//! what it is told, outside it passes everything on to the hook that was there before.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use infinitic_core::{FailureKind, FailureRecord};

/// A panic, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// What was said, or that it was no text.
    pub message: String,
    /// File, line and column.
    pub location: Option<String>,
    /// The stack, when `RUST_BACKTRACE` asks for it.
    pub backtrace: Option<String>,
}

impl Panic {
    /// The panic as a failure: of kind `Panicked`, with the place in its message.
    #[must_use]
    pub fn into_record(self) -> FailureRecord {
        let message = match &self.location {
            Some(place) => format!("{} (at {place})", self.message),
            None => self.message,
        };
        let mut record = FailureRecord::new(FailureKind::Panicked, message);
        record.backtrace = self.backtrace.or(self.location);
        record
    }
}

/// What the hook saw on this thread.
struct Seen {
    location: Option<String>,
    backtrace: Option<String>,
}

thread_local! {
    static CAPTURING: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Runs user code; a panic of it is an error. Captures may be nested.
///
/// # Errors
/// The panic. What the code had borrowed may be half changed: the caller drops it.
pub fn capture<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outer = panic::take_hook();
        panic::set_hook(Box::new(move |info| match CAPTURING.get() {
            true => see(info),
            false => outer(info),
        }));
    });
    let nested = CAPTURING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CAPTURING.set(nested);
    result.map_err(|payload| {
        let seen = SEEN.take();
        let panic = Panic {
            message: words(payload.as_ref()),
            location: seen.as_ref().and_then(|seen| seen.location.clone()),
            backtrace: seen.and_then(|seen| seen.backtrace),
        };
        // A payload may be any value, also one whose destructor panics: that one is leaked.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        panic
    })
}

fn see(info: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    SEEN.replace(Some(Seen {
        location: info.location().map(ToString::to_string),
        backtrace: match backtrace.status() {
            BacktraceStatus::Captured => Some(backtrace.to_string()),
            _ => None,
        },
    }));
}

fn words(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return (*text).to_owned();
    }
    match payload.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => "a panic whose message is no text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let panic = capture(|| panic!("boom {}", 1)).expect_err("it panics");
        assert_eq!(panic.message, "boom 1");
        assert!(
            panic
                .location
                .as_ref()
                .is_some_and(|at| at.contains("panics.rs:")),
            "{panic:?}"
        );
        let record = panic.into_record();
        assert_eq!(record.kind, FailureKind::Panicked);
        assert!(
            record.message.starts_with("boom 1 (at "),
            "{}",
            record.message
        );
        assert!(record.backtrace.is_some());
    }

    #[test]
    fn captures_nest_and_give_values() {
        let value = capture(|| {
            let inner = capture(|| panic::panic_any(7)).expect_err("it panics");
            assert_eq!(inner.message, "a panic whose message is no text");
            3
        });
        assert_eq!(value, Ok(3));
        assert!(!CAPTURING.get());
    }
}
