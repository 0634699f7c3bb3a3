//! Where generated code finds the runtime, and the names that it keeps for itself.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, Path};

/// Path of the hidden module that holds all that generated code refers to.
#[derive(Debug, Clone)]
pub(crate) struct Root(TokenStream);

impl Root {
    /// The façade's, unless the user names a renamed or re-exported one.
    pub(crate) fn new(custom: Option<&Path>) -> Self {
        match custom {
            Some(path) => Self(quote!(#path::__private)),
            None => Self(quote!(::infinitic::__private)),
        }
    }
}

impl Default for Root {
    fn default() -> Self {
        Self::new(None)
    }
}

impl ToTokens for Root {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// A numbered local of generated code; user code can neither see nor shadow it.
pub(crate) fn local(prefix: &str, index: usize) -> Ident {
    format_ident!("__{prefix}{index}", span = Span::mixed_site())
}
