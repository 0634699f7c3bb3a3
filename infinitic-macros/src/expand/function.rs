//! Function forms: the user's function stays callable as it is, and lends its name to a stub.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, ItemFn};

use super::{assert, dispatch, finish, names, returned};
use crate::hygiene::local;
use crate::model::{Contract, Kind, Method};
use crate::validate::{FunctionParts, Validated};

/// The function, and what makes its name a service or workflow.
pub(crate) fn expand(
    contract: &Validated<Contract>,
    parts: &Validated<FunctionParts>,
) -> TokenStream {
    let functions = contract.methods.iter().map(|method| {
        let outer = outer(method, contract, &parts.item);
        let hosted = hosted(method, contract, parts.version);
        quote!(#outer #hosted)
    });
    quote!(#(#functions)*)
}

/// The user's function, wrapped so that its type says whose it is.
fn outer(method: &Method, contract: &Validated<Contract>, item: &ItemFn) -> TokenStream {
    let (root, vis, ident) = (&contract.root, &item.vis, &item.sig.ident);
    let (outer_attrs, inner_attrs): (Vec<Attribute>, Vec<Attribute>) =
        item.attrs.iter().cloned().partition(|attr| {
            ["doc", "deprecated", "must_use", "cfg"]
                .iter()
                .any(|name| attr.path().is_ident(name))
        });
    let inner = ItemFn {
        attrs: inner_attrs,
        vis: syn::Visibility::Inherited,
        ..item.clone()
    };
    let parameters = method.arguments.iter().map(|argument| {
        let (ident, ty) = (&argument.ident, &argument.ty);
        quote!(#ident: #ty)
    });
    let arguments = method.arguments.iter().map(|argument| &argument.ident);
    let output = &method.output.ty;
    // At the function's name: a body that cannot move between threads is reported there.
    let root = root.at(ident.span());
    // The body in a block of its own: an argument may bear the function's name.
    let body = local("body", 0);
    let function = quote_spanned! {ident.span()=>
        fn #ident(#(#parameters),*) -> #root::Tagged<
            #ident,
            impl ::core::future::Future<Output = #output> + ::core::marker::Send
        > {
            let #body = {
                #inner
                #ident
            };
            #root::Tagged::new(#body(#(#arguments),*))
        }
    };
    // What clippy would find complex is our wrapper around the user's type, not the type.
    quote!(#[allow(clippy::type_complexity)] #(#outer_attrs)* #vis #function)
}

/// The impl by which a worker runs the function.
fn hosted(method: &Method, contract: &Validated<Contract>, version: u32) -> TokenStream {
    let (root, proxy, kind) = (&contract.root, &contract.proxy, contract.place.kind);
    let trait_ = names(kind, root).function;
    let output = &method.output.ty;
    let local = returned(&method.output);
    let check = assert::value(&method.output, root);
    let finish = finish(&method.output, root);
    let particular = match kind {
        Kind::Service => {
            let policy = dispatch::policy(&method.policy, root);
            quote! {
                fn policy() -> #root::TaskPolicy {
                    #policy
                }
            }
        }
        Kind::Workflow => quote!(const VERSION: u32 = #version;),
    };
    quote! {
        #[automatically_derived]
        impl #trait_ for #proxy {
            type Output = #output;
            #particular
            fn finish(#local: Self::Output) -> #root::TaskResult {
                #check
                #finish
            }
        }
    }
}
