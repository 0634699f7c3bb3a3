//! What is wrong with a configuration: every mistake of every source, each with its place.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::tree::At;

/// Why a configuration cannot be used: all that is wrong with it, in the order of the sources and
/// their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong; at least one.
    pub faults: Vec<Fault>,
}

impl ConfigError {
    /// An error of one fault that has no line: something is missing, or does not fit the program.
    #[must_use]
    pub fn of(source: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            faults: vec![Fault {
                source: source.into(),
                place: None,
                message: message.into(),
            }],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.faults[..] {
            [fault] => write!(f, "the configuration cannot be used: {fault}"),
            faults => {
                let count = faults.len();
                write!(f, "the configuration cannot be used: {count} mistakes")?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// One mistake, or one note, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the source: the path of a file, or what the program called a text.
    pub source: String,
    /// Line and column, both from 1; none when it concerns the source as a whole.
    pub place: Option<(u32, u32)>,
    /// What is wrong, what is accepted, and what to write.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            place,
            message,
        } = self;
        match place {
            Some((line, column)) => write!(f, "{source}:{line}:{column}: {message}"),
            None => write!(f, "{source}: {message}"),
        }
    }
}

/// Gathers mistakes and notes while sources are read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Names of the sources, in order.
    pub(super) sources: Vec<String>,
    faults: RefCell<Vec<(At, String)>>,
    notes: RefCell<Vec<(At, String)>>,
    /// Whether something could not be read at all: then nothing is said about what is missing.
    unreadable: Cell<bool>,
}

impl Findings {
    /// Nothing found yet in sources of these names.
    pub(super) fn new(sources: Vec<String>) -> Self {
        Self {
            sources,
            ..Self::default()
        }
    }

    /// Takes in a mistake.
    pub(super) fn fault(&self, at: At, message: impl Into<String>) {
        self.faults.borrow_mut().push((at, message.into()));
    }

    /// Takes in a mistake that hides the rest of its source.
    pub(super) fn unreadable(&self, at: At, message: impl Into<String>) {
        self.unreadable.set(true);
        self.fault(at, message);
    }

    /// Takes in something that is accepted and has no effect.
    pub(super) fn note(&self, at: At, message: impl Into<String>) {
        self.notes.borrow_mut().push((at, message.into()));
    }

    /// Whether a source could not be read at all.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable.get()
    }

    /// The notes, unless there is a mistake.
    pub(super) fn finish(&self) -> Result<Vec<Fault>, ConfigError> {
        let faults = self.placed(&self.faults);
        if faults.is_empty() {
            Ok(self.placed(&self.notes))
        } else {
            Err(ConfigError { faults })
        }
    }

    fn placed(&self, found: &RefCell<Vec<(At, String)>>) -> Vec<Fault> {
        let mut found = found.borrow().clone();
        found.sort();
        // A value under an anchor is read wherever it is used.
        found.dedup();
        let placed = found.into_iter().map(|(at, message)| Fault {
            source: self.sources.get(at.source).cloned().unwrap_or_default(),
            place: (at.line > 0).then_some((at.line, at.column)),
            message,
        });
        placed.collect()
    }
}
