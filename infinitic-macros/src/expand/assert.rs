//! Bounds checked once for each contract, each at the user's own type, so that the compiler's
//! words appear under what is wrong and not under the attribute.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::hygiene::Root;
use crate::model::{Contract, Method, Parts};
use crate::validate::Validated;

/// The checks, in an anonymous constant that adds no name.
pub(crate) fn expand(contract: &Validated<Contract>) -> TokenStream {
    if contract.methods.is_empty() {
        return TokenStream::new();
    }
    let root = &contract.root;
    let checks = contract.methods.iter().map(|method| travels(method, root));
    let plain = contract
        .methods
        .iter()
        .filter_map(|method| plain(method, root));
    quote! {
        const _: () = {
            #[allow(dead_code)]
            fn __travels() {
                #(#checks)*
            }
            #(#plain)*
        };
    }
}

/// Arguments and results must be serialisable, both ways.
fn travels(method: &Method, root: &Root) -> TokenStream {
    let cfgs = &method.cfgs;
    let arguments = method.arguments.iter().map(|argument| {
        let ty = &argument.ty;
        quote_spanned!(ty.span()=> #root::assert_argument::<#ty>();)
    });
    let value = method.output.value(root);
    let span = match &method.output.parts {
        Parts::Known(value, _) => value.span(),
        Parts::Plain | Parts::Aliased => method.output.ty.span(),
    };
    let result = quote_spanned!(span=> #root::assert_value::<#value>(););
    quote! {
        #(#cfgs)*
        {
            #(#arguments)*
            #result
        }
    }
}

/// A `Result` behind another name would lose its error: only the compiler can see through it.
fn plain(method: &Method, root: &Root) -> Option<TokenStream> {
    let Parts::Plain = method.output.parts else {
        return None;
    };
    let (cfgs, ty) = (&method.cfgs, &method.output.ty);
    let check = quote_spanned!(ty.span()=>
        #root::assert_plain_return(#root::ReturnProbe::<#ty>::IS_RESULT)
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
