//! Names on the wire: of workflows, services, tasks, methods and properties.
//!
//! A name is checked once, when it is parsed, and trusted from then on. It is cheap to clone,
//! because every command carries some.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest accepted name, in bytes. Names become parts of topic names and table keys, whose own
/// limits (255 in the strictest system we write to) leave room for a prefix.
pub const NAME_BYTES_MAX: usize = 200;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: {reason}; write 1 to {NAME_BYTES_MAX} bytes without control \
     characters or `/`"
)]
pub struct InvalidName {
    /// The text as given, cut after some characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn check(text: &str) -> Result<(), InvalidName> {
    let invalid = |reason| InvalidName {
        text: text.chars().take(80).collect(),
        reason,
    };
    if text.is_empty() {
        return Err(invalid("it is empty"));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(invalid("it is too long"));
    }
    if text.chars().any(|c| c.is_control() || c == '/') {
        return Err(invalid("it holds a control character or `/`"));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text and takes it as a name.
            ///
            /// # Errors
            /// [`InvalidName`] when the text is empty, too long, or holds control characters or
            /// `/`.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// Takes a name that a macro has checked at compile time.
            ///
            /// # Panics
            /// When the text is no name: a fault of the caller, not of its input.
            #[must_use]
            pub fn known(text: &str) -> Self {
                Self::parse(text).expect("names written by macros are checked by them")
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// Name of a workflow: what its contract is called on the wire.
    WorkflowName
);
name!(
    /// Name of a service.
    ServiceName
);
name!(
    /// Name of a task of a service.
    TaskName
);
name!(
    /// Name of a method of a workflow.
    MethodName
);
name!(
    /// Name of a property of a workflow.
    PropertyName
);
name!(
    /// Name of a recorded side effect (`step`).
    StepName
);
name!(
    /// Name of a channel of a workflow.
    ChannelName
);
name!(
    /// Name of a patch marker in workflow code.
    PatchName
);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn unicode_identifiers_are_names() {
        assert_eq!(
            ServiceName::parse("Überweisung").unwrap().as_str(),
            "Überweisung"
        );
    }

    #[test]
    fn what_is_no_name_is_refused_with_a_reason() {
        assert_eq!(TaskName::parse("").unwrap_err().reason, "it is empty");
        assert!(TaskName::parse("a/b").is_err());
        assert!(TaskName::parse(&"x".repeat(201)).is_err());
    }
}
