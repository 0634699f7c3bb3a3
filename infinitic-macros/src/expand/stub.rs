//! Stubs and clients: the types through which a contract is called.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, assert, codec, descriptor, marker, names};
use crate::hygiene::{Root, local};
use crate::model::{Contract, Form, Kind, Method};
use crate::validate::Validated;

/// The proxy type, what makes it one, and its methods.
pub(crate) fn expand(contract: &Validated<Contract>) -> TokenStream {
    let names = names(contract.place.kind, &contract.root);
    let structure = structure(contract, &names);
    let proxy_impl = proxy_impl(contract, &names);
    let methods = contract
        .methods
        .iter()
        .map(|method| call(method, contract, &names));
    let proxy = &contract.proxy;
    quote! {
        #structure
        #proxy_impl
        #[allow(private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
        impl #proxy {
            #(#methods)*
        }
    }
}

fn structure(contract: &Validated<Contract>, names: &Names) -> TokenStream {
    let Contract {
        vis,
        proxy,
        name,
        place,
        ..
    } = &**contract;
    let Names { handle, field, .. } = names;
    let doc = match place.kind {
        Kind::Service => format!("Calls the tasks of the service `{}`.", name.value()),
        Kind::Workflow => {
            format!(
                "Starts and steers instances of the workflow `{}`.",
                name.value()
            )
        }
    };
    let style = (place.form == Form::Function).then(|| quote!(#[allow(non_camel_case_types)]));
    quote! {
        #[doc = #doc]
        #style
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #proxy {
            #field: #handle,
        }
    }
}

fn proxy_impl(contract: &Validated<Contract>, names: &Names) -> TokenStream {
    let Contract {
        proxy,
        place,
        root,
        base,
        ..
    } = &**contract;
    let Names {
        proxy_trait,
        contract: ty,
        handle,
        field,
        ..
    } = names;
    let value = descriptor::value(contract);
    let marker = match place.form {
        Form::Function => quote!(#root::FunctionMarker<#proxy>),
        _ => marker(base, root),
    };
    let parameter = match place.kind {
        Kind::Service => quote!(stub),
        Kind::Workflow => quote!(handle),
    };
    let by_reference = (place.kind == Kind::Workflow).then(|| {
        quote! {
            fn __handle_ref(&self) -> &#handle {
                &self.#field
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #proxy_trait for #proxy {
            type Marker = #marker;
            const CONTRACT: &'static #ty = #value;
            fn __new(#parameter: #handle) -> Self {
                Self { #field: #parameter }
            }
            fn #field(&mut self) -> &mut #handle {
                &mut self.#field
            }
            #by_reference
        }
    }
}

/// The method of a proxy that makes one call; it does no more than encode.
fn call(method: &Method, contract: &Validated<Contract>, names: &Names) -> TokenStream {
    let root = &contract.root;
    let Names {
        proxy_trait,
        field,
        call,
        call_method,
        find,
        ..
    } = names;
    let Method {
        ident,
        cfgs,
        docs,
        output,
        ..
    } = method;
    let rust_name = method.rust_name();
    let undocumented = (!docs.iter().any(|attr| attr.path().is_ident("doc"))).then(|| {
        let doc = format!("Calls `{rust_name}`.");
        quote!(#[doc = #doc])
    });
    let (value, error, codec) = (output.value(root), output.error(root), codec(output, root));
    let parameters = method.arguments.iter().map(|argument| {
        let (ident, ty) = (&argument.ident, &argument.ty);
        quote!(#ident: #ty)
    });
    let checks = method
        .arguments
        .iter()
        .map(|argument| assert::argument(argument, root));
    let encoded = encoded(method, root);
    // The method's own span: an editor that is asked for the call's definition finds the contract.
    let body = quote_spanned! {ident.span()=>
        self.#field.#call_method(
            #find(<Self as #proxy_trait>::CONTRACT, #rust_name),
            #encoded,
            #codec,
        )
    };
    quote! {
        #(#cfgs)*
        #undocumented
        #(#docs)*
        #[track_caller]
        pub fn #ident(&self, #(#parameters),*) -> #call<#value, #error> {
            #(#checks)*
            #body
        }
    }
}

/// The encoded arguments. A bound on a tuple would be reported for the tuple as a whole, so the
/// arguments pass through a function with a bound for each of them.
fn encoded(method: &Method, root: &Root) -> TokenStream {
    let count = method.arguments.len();
    if count == 0 {
        return quote!(#root::encode_args(&()));
    }
    let locals: Vec<_> = (0..count).map(|index| local("a", index)).collect();
    let types: Vec<_> = (0..count).map(|index| format_ident!("A{index}")).collect();
    let arguments = method.arguments.iter().map(|argument| {
        let span = argument.ty.span();
        let mut ident = argument.ident.clone();
        ident.set_span(span);
        quote_spanned!(span=> &#ident)
    });
    quote! {
        {
            fn __encode<#(#types: #root::Argument),*>(
                #(#locals: &#types),*
            ) -> ::core::result::Result<#root::Payload, #root::Undecodable> {
                #root::encode_args(&(#(#locals,)*))
            }
            __encode(#(#arguments),*)
        }
    }
}
