//! The constant that describes a contract: names, arguments, limits.

use proc_macro2::TokenStream;
use quote::quote;

use super::{names, option_u64};
use crate::model::{Contract, Method};
use crate::validate::Validated;

/// The value of the descriptor constant.
pub(crate) fn value(contract: &Validated<Contract>) -> TokenStream {
    let names = names(contract.place.kind, &contract.root);
    let (ty, elements, name) = (&names.contract, &names.elements, &contract.name);
    let items = contract
        .methods
        .iter()
        .map(|method| element(method, &names.element));
    quote! {
        &#ty {
            name: #name,
            #elements: &[#(#items),*],
        }
    }
}

fn element(method: &Method, ty: &TokenStream) -> TokenStream {
    let Method {
        wire,
        cfgs,
        arguments,
        ..
    } = method;
    let rust_name = method.rust_name();
    let arguments = arguments.iter().map(|argument| &argument.name);
    let timeout_ms = option_u64(method.call_timeout_ms);
    quote! {
        #(#cfgs)*
        #ty {
            method: #rust_name,
            name: #wire,
            arguments: &[#(#arguments),*],
            timeout_ms: #timeout_ms,
        }
    }
}
