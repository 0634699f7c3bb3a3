//! Where generated code finds the runtime, and the names that it keeps for itself.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
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

impl Root {
    /// The same path, shown by the compiler as if it were written at `span`.
    pub(crate) fn at(&self, span: Span) -> Self {
        Self(moved(self.0.clone(), span))
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

/// Tokens as if all of them were written at `span`; an absolute path means the same anywhere.
pub(crate) fn moved(tokens: TokenStream, span: Span) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), moved(group.stream(), span)).into();
        }
        token.set_span(span);
        token
    });
    moved.collect()
}

/// A numbered local of generated code; user code can neither see nor shadow it.
pub(crate) fn local(prefix: &str, index: usize) -> Ident {
    format_ident!("__{prefix}{index}", span = Span::mixed_site())
}
