//! Faults: collected while an item is read, reported all at once, each at the smallest wrong token.
//!
//! Every message has the same three parts, so that a reader finds the cure without a manual: what
//! is wrong, what is accepted, what to write instead.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The faults found so far.
///
/// **Invariant:** a sink is read by [`Faults::into_errors`]; one that is dropped with unread faults
/// would turn a wrong item into a silently accepted one, so that panics in debug builds.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<syn::Error>,
}

impl Faults {
    /// Adds a fault at `tokens`.
    pub(crate) fn at(
        &mut self,
        tokens: impl ToTokens,
        what: impl AsRef<str>,
        accepted: impl AsRef<str>,
        write: impl AsRef<str>,
    ) {
        let (what, accepted, write) = (what.as_ref(), accepted.as_ref(), write.as_ref());
        let message = format!("{what}\n  accepted: {accepted}\n  write: {write}");
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds what the parser of the Rust grammar has to say.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// How many faults there are: what a caller compares to know whether a part was sound.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The errors as tokens, in the order in which they were found.
    pub(crate) fn into_errors(mut self) -> TokenStream {
        self.found
            .drain(..)
            .map(|error| error.to_compile_error())
            .collect()
    }

    /// The messages, for tests of this crate.
    #[cfg(test)]
    pub(crate) fn messages(mut self) -> Vec<String> {
        self.found
            .drain(..)
            .map(|error| error.to_string())
            .collect()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        debug_assert!(
            self.found.is_empty() || std::thread::panicking(),
            "faults were collected and never reported"
        );
    }
}

/// Renders names as the list that a message shows: `` `a`, `b` ``.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
