//! A record shared by all views of it, in words: one line, and the chain of what led to it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use infinitic_core::{FailureKind, FailureRecord, Origin};

/// A record and its chain of causes, which is built when somebody walks it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Inner>);

struct Inner {
    record: Arc<FailureRecord>,
    chain: OnceLock<Option<Box<Link>>>,
}

/// One line of the chain.
#[derive(Debug)]
struct Link {
    text: String,
    next: Option<Box<Self>>,
}

impl Shared {
    pub(super) fn new(record: Arc<FailureRecord>) -> Self {
        Self(Arc::new(Inner {
            record,
            chain: OnceLock::new(),
        }))
    }

    pub(super) fn record(&self) -> &Arc<FailureRecord> {
        &self.0.record
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.record, &other.0.record)
    }
}

impl StdError for Shared {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let chain = self.0.chain.get_or_init(|| {
            let lines = causes(&self.0.record);
            lines
                .into_iter()
                .rev()
                .fold(None, |next, text| Some(Box::new(Link { text, next })))
        });
        chain
            .as_deref()
            .map(|link| link as &(dyn StdError + 'static))
    }
}

impl StdError for Link {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next
            .as_deref()
            .map(|link| link as &(dyn StdError + 'static))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.0.record))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return fmt::Debug::fmt(&self.0.record, f);
        }
        write_chain(f, self)
    }
}

/// An error with what led to it, line by line, as a `main` that returns it prints it.
pub(super) fn write_chain(f: &mut fmt::Formatter<'_>, error: &dyn StdError) -> fmt::Result {
    write!(f, "{error}")?;
    for (i, source) in sources(error).iter().enumerate() {
        write!(
            f,
            "{}\n  {i}: {source}",
            if i == 0 { "\n\nCaused by:" } else { "" }
        )?;
    }
    Ok(())
}

/// What `source` tells of an error, outermost first, in words.
pub(super) fn sources(error: &dyn StdError) -> Vec<String> {
    let mut sources = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        sources.push(error.to_string());
        next = error.source();
    }
    sources
}

/// The one door by which those who see a `dyn Error` find the record of a `Failure<E>`, whatever
/// `E` is (a downcast would have to know it): `Failure` overrides the deprecated method `cause`,
/// which nobody calls, with this, whose `source` is of a type that can be asked for.
#[derive(Clone, Debug)]
pub(super) struct Door(pub(super) Shared);

impl StdError for Door {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The failure that is somewhere in an error: itself, or behind `source`.
pub(super) fn failure_in(error: &(dyn StdError + 'static)) -> Option<Shared> {
    let mut next = Some(error);
    while let Some(error) = next {
        #[allow(deprecated)] // See `Door`.
        let door = error.cause().and_then(StdError::source);
        if let Some(shared) = door.and_then(|found| found.downcast_ref::<Shared>()) {
            return Some(shared.clone());
        }
        next = error.source();
    }
    None
}

/// One line: what failed, after how many attempts, and why.
pub(super) fn line(record: &FailureRecord) -> String {
    let verb = match record.kind {
        FailureKind::TimedOut => "timed out",
        FailureKind::Cancelled => "was cancelled",
        FailureKind::Panicked => "panicked",
        FailureKind::Refused => "was refused",
        FailureKind::Crashed => "took its process down",
        FailureKind::Stopped => "stands still",
        FailureKind::UnknownInstance => "is unknown",
        _ => "failed",
    };
    let what = match &record.origin {
        Some(Origin::Task {
            id, service, task, ..
        }) => format!("task {service}.{task} (id {id}) "),
        Some(Origin::Step { id, name, .. }) => format!("step `{name}` (id {id}) "),
        Some(Origin::Instance { id, workflow }) => format!("workflow {workflow} (id {id}) "),
        None => String::new(),
    };
    let after = match &record.origin {
        Some(Origin::Task { attempts, .. } | Origin::Step { attempts, .. }) => match attempts {
            0 => String::new(),
            1 => " after 1 attempt".to_owned(),
            more => format!(" after {more} attempts"),
        },
        Some(Origin::Instance { .. }) | None => String::new(),
    };
    match (what.is_empty(), record.message.is_empty()) {
        // With nothing known but words, the words say it best.
        (true, false) => record.message.clone(),
        (_, true) => format!("{what}{verb}{after}"),
        (false, false) => format!("{what}{verb}{after}: {}", record.message),
    }
}

/// The lines that lead from a record to its first cause.
pub(super) fn causes(record: &FailureRecord) -> Vec<String> {
    let mut lines = record.sources.clone();
    let mut record = record;
    while let Some(cause) = record.cause.as_deref() {
        let text = line(cause);
        // An error that passes its cause on as it is says the same line: once is enough.
        if text != record.message {
            lines.push(text);
        }
        lines.extend(cause.sources.iter().cloned());
        record = cause;
    }
    lines
}
