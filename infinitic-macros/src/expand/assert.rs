//! Bounds checked at the user's own types, so that the compiler's words appear under what is wrong
//! and not under the attribute.
//!
//! The compiler drops an error that follows from another one at the same place in the same body,
//! and prints equal ones once. So the checks stand in each body that uses a type, and the code
//! that uses it borrows the type's span: one mistake, one message.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::hygiene::{Root, moved};
use crate::model::{Argument, Contract, Method, Output, Parts};
use crate::validate::Validated;

/// Checks that an argument can travel.
pub(crate) fn argument(argument: &Argument, root: &Root) -> TokenStream {
    let ty = &argument.ty;
    let root = root.at(ty.span());
    let ty = moved(ty.to_token_stream(), ty.span());
    quote_spanned!(ty.span()=> #root::assert_argument::<#ty>();)
}

/// Checks that a result can travel.
pub(crate) fn value(output: &Output, root: &Root) -> TokenStream {
    let value = output.value(root);
    let root = root.at(value_span(output));
    let value = moved(value, value_span(output));
    quote_spanned!(value_span(output)=> #root::assert_value::<#value>();)
}

/// Where the type of a result's value is written.
pub(crate) fn value_span(output: &Output) -> Span {
    match &output.parts {
        Parts::Known(value, _) => value.span(),
        Parts::Plain | Parts::Aliased => output.ty.span(),
    }
}

/// Where the type of a result's error is written.
pub(crate) fn error_span(output: &Output) -> Span {
    match &output.parts {
        Parts::Known(_, error) => error.span(),
        Parts::Plain | Parts::Aliased => output.ty.span(),
    }
}

/// The checks of a contract's results, in an anonymous constant that adds no name.
pub(crate) fn expand(contract: &Validated<Contract>) -> TokenStream {
    if contract.methods.is_empty() {
        return TokenStream::new();
    }
    let root = &contract.root;
    let values = contract.methods.iter().map(|method| {
        let (cfgs, check) = (&method.cfgs, value(&method.output, root));
        quote!(#(#cfgs)* { #check })
    });
    let plain = contract
        .methods
        .iter()
        .filter_map(|method| plain(method, root));
    quote! {
        const _: () = {
            #[allow(dead_code)]
            fn __travels() {
                #(#values)*
            }
            #(#plain)*
        };
    }
}

const HIDDEN_RESULT: &str = "this is a `Result` behind a name that does not say so, which hides \
                             its error from the macro; accepted: `Result<T, E>`, or an alias \
                             that is named `Result`; write: the `Result` itself";

/// A `Result` behind another name would lose its error: only the compiler can see through it.
fn plain(method: &Method, root: &Root) -> Option<TokenStream> {
    let Parts::Plain = method.output.parts else {
        return None;
    };
    let (cfgs, ty) = (&method.cfgs, &method.output.ty);
    let spanned = root.at(ty.span());
    let check = quote_spanned!(ty.span()=>
        ::core::assert!(!#spanned::ReturnProbe::<#ty>::IS_RESULT, #HIDDEN_RESULT)
    );
    Some(quote! {
        #(#cfgs)*
        const _: () = {
            #[allow(unused_imports)]
            use #root::NotResult as _;
            #check
        };
    })
}
