//! The user's trait, given back: `async fn` becomes a function that gives a future which may move
//! between threads. An implementation is an ordinary `impl` with `async fn`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote};

use super::names;
use crate::model::Contract;
use crate::validate::Validated;

/// The trait, with the constant by which implementations find the contract.
pub(crate) fn expand(mut item: ItemTrait, contract: &Validated<Contract>) -> TokenStream {
    asyncs_to_futures(&mut item);
    let names = names(contract.place.kind, &contract.root);
    let (ty, proxy_trait, proxy) = (&names.contract, &names.proxy_trait, &contract.proxy);
    item.items.push(parse_quote! {
        #[doc(hidden)]
        const __CONTRACT: &'static #ty = <#proxy as #proxy_trait>::CONTRACT;
    });
    item.into_token_stream()
}

fn asyncs_to_futures(item: &mut ItemTrait) {
    for member in &mut item.items {
        // A body was refused already; turning it too would only add errors about it.
        if let TraitItem::Fn(function) = member
            && function.sig.asyncness.is_some()
            && function.default.is_none()
        {
            async_to_future(function);
        }
    }
}

fn async_to_future(function: &mut TraitItemFn) {
    function.sig.asyncness = None;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    function.sig.output = parse_quote!(
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    );
}
