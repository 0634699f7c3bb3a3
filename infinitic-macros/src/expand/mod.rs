//! Third stage: validated models to tokens. Nothing here can fail, and nothing here decides.
//!
//! Output is thin on purpose: a constant that describes, and one-line calls into the runtime's
//! hidden module, where logic is ordinary code that can be read, tested and debugged.

pub(crate) mod assert;
pub(crate) mod descriptor;
pub(crate) mod dispatch;
pub(crate) mod function;
pub(crate) mod structure;
pub(crate) mod stub;
pub(crate) mod task_error;
pub(crate) mod trait_;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Generics, Ident, WhereClause, parse_quote};

use crate::hygiene::Root;
use crate::model::{Kind, Output, Parts};

/// The type that stands for a trait in the eyes of stubs and implementations alike.
///
/// Neither may see the other (a contract may live in a crate of its own), so both spell the
/// identifier that both know: `Ab` is `(C<'A'>, (C<'b'>, ()))`.
pub(crate) fn marker(base: &Ident, root: &Root) -> TokenStream {
    let text = base.unraw().to_string();
    text.chars().rev().fold(
        quote!(()),
        |rest, letter| quote!((#root::C<#letter>, #rest)),
    )
}

/// The names in the hidden module that differ between services and workflows.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// Type of the descriptor constant.
    pub(crate) contract: TokenStream,
    /// Type of one of its elements.
    pub(crate) element: TokenStream,
    /// The field that lists the elements.
    pub(crate) elements: Ident,
    /// Function that finds an element by its Rust name.
    pub(crate) find: TokenStream,
    /// Trait of stubs or clients.
    pub(crate) proxy_trait: TokenStream,
    /// What a stub or client holds.
    pub(crate) handle: TokenStream,
    /// The field that holds it, and the accessor's name.
    pub(crate) field: Ident,
    /// What a call gives.
    pub(crate) call: TokenStream,
    /// The handle's method that makes one.
    pub(crate) call_method: Ident,
    /// Trait of implementations.
    pub(crate) hosted: TokenStream,
    /// Type of one handler, and the function that lists them.
    pub(crate) handler: TokenStream,
    pub(crate) handlers: Ident,
    /// Trait of function forms.
    pub(crate) function: TokenStream,
}

/// The names for one kind.
pub(crate) fn names(kind: Kind, root: &Root) -> Names {
    let ident = |text| Ident::new(text, proc_macro2::Span::call_site());
    match kind {
        Kind::Service => Names {
            contract: quote!(#root::ServiceContract),
            element: quote!(#root::TaskContract),
            elements: ident("tasks"),
            find: quote!(#root::task_contract),
            proxy_trait: quote!(#root::ServiceProxy),
            handle: quote!(#root::ServiceStub),
            field: ident("__stub"),
            call: quote!(#root::Call),
            call_method: ident("call"),
            hosted: quote!(#root::Service),
            handler: quote!(#root::TaskHandler),
            handlers: ident("tasks"),
            function: quote!(#root::ServiceFunction),
        },
        Kind::Workflow => Names {
            contract: quote!(#root::WorkflowContract),
            element: quote!(#root::MethodContract),
            elements: ident("methods"),
            find: quote!(#root::method_contract),
            proxy_trait: quote!(#root::WorkflowProxy),
            handle: quote!(#root::WorkflowHandle),
            field: ident("__handle"),
            call: quote!(#root::Start),
            call_method: ident("start"),
            hosted: quote!(#root::Workflow),
            handler: quote!(#root::MethodHandler),
            handlers: ident("methods"),
            function: quote!(#root::WorkflowFunction),
        },
    }
}

/// The expression that encodes and decodes a method's error.
pub(crate) fn codec(output: &Output, root: &Root) -> TokenStream {
    match output.parts {
        Parts::Plain => quote!(#root::ErrorCodec::never()),
        Parts::Known(..) | Parts::Aliased => {
            let error = output.error(root);
            // At the user's type, so that an error type that is no error is reported there.
            let span = assert::error_span(output);
            let root = root.at(span);
            quote_spanned!(span=> #root::error_codec!(#error))
        }
    }
}

/// The local that holds what a method returned, spanned at the type of its value.
pub(crate) fn returned(output: &Output) -> Ident {
    Ident::new("__returned", assert::value_span(output))
}

/// The expression that turns what [`returned`] holds into what is recorded.
pub(crate) fn finish(output: &Output, root: &Root) -> TokenStream {
    let (span, local) = (assert::value_span(output), returned(output));
    let finish = root.at(span);
    match output.parts {
        Parts::Plain => quote_spanned!(span=> #finish::finish_value(#local)),
        Parts::Known(..) | Parts::Aliased => {
            let codec = codec(output, root);
            quote_spanned!(span=> #finish::finish_result(#local, #codec))
        }
    }
}

/// An optional number as an expression.
pub(crate) fn option_u64(value: Option<u64>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The `where` clause of an implementation. A generic type must itself say that it can be shared
/// between threads; for a concrete one the compiler sees for itself.
pub(crate) fn hosted_where(generics: &Generics) -> Option<WhereClause> {
    let mut clause = generics.where_clause.clone();
    if generics.params.is_empty() {
        return clause;
    }
    let shared = parse_quote!(
        Self: ::core::marker::Send + ::core::marker::Sync + 'static
    );
    clause
        .get_or_insert_with(|| parse_quote!(where))
        .predicates
        .push(shared);
    clause
}
