//! Implementations: the tables by which a worker finds the user's code.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, assert, finish, hosted_where, marker, names, option_u64, returned};
use crate::hygiene::{Root, local};
use crate::model::{ContractPath, Exponential, Implementation, Kind, Method, Policy, Retry};
use crate::validate::Validated;

/// The impl that makes a type hostable by a worker.
pub(crate) fn expand(implementation: &Validated<Implementation>) -> TokenStream {
    let Implementation {
        kind,
        root,
        generics,
        self_ty,
        contract,
        base,
        methods,
        ..
    } = &**implementation;
    let names = names(*kind, root);
    let Names {
        contract: ty,
        hosted,
        handler,
        handlers,
        proxy_trait,
        ..
    } = &names;
    let marker = marker(base, root);
    let (impl_generics, _, _) = generics.split_for_impl();
    let clause = hosted_where(generics);
    let found = match contract {
        ContractPath::Trait(path) => quote!(<Self as #path>::__CONTRACT),
        ContractPath::Proxy(proxy) => quote!(<#proxy as #proxy_trait>::CONTRACT),
    };
    let entries = methods
        .iter()
        .map(|method| entry(method, implementation, &names));
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #hosted<#marker> for #self_ty #clause {
            fn contract() -> &'static #ty {
                #found
            }
            fn #handlers() -> ::std::vec::Vec<#handler<Self>> {
                ::std::vec::Vec::from([#(#entries),*])
            }
        }
    }
}

fn entry(
    method: &Method,
    implementation: &Validated<Implementation>,
    names: &Names,
) -> TokenStream {
    let Implementation { kind, root, .. } = &**implementation;
    let handler = &names.handler;
    let cfgs = &method.cfgs;
    let rust_name = method.rust_name();
    let policy = (*kind == Kind::Service).then(|| {
        let policy = policy(&method.policy, root);
        quote!(policy: #policy,)
    });
    let run = run(method, implementation);
    quote! {
        #(#cfgs)*
        #handler::<Self> {
            method: #rust_name,
            #policy
            run: #run,
        }
    }
}

/// The closure that decodes the arguments at once and runs the method later.
fn run(method: &Method, implementation: &Validated<Implementation>) -> TokenStream {
    let Implementation {
        kind,
        root,
        contract,
        ..
    } = &**implementation;
    let ident = &method.ident;
    let receiver = match kind {
        Kind::Service => quote!(__service),
        Kind::Workflow => quote!(__workflow),
    };
    let function = match contract {
        ContractPath::Trait(path) => quote!(<Self as #path>::#ident),
        ContractPath::Proxy(_) => quote!(Self::#ident),
    };
    let count = method.arguments.len();
    let locals: Vec<_> = (0..count).map(|index| local("a", index)).collect();
    let reader = if count == 0 {
        quote!(let _ = #root::ArgReader::new(__args, 0)?;)
    } else {
        quote!(let mut __args = #root::ArgReader::new(__args, #count)?;)
    };
    let decoded = method
        .arguments
        .iter()
        .zip(&locals)
        .map(|(argument, local)| {
            let (ty, name) = (&argument.ty, &argument.name);
            let check = assert::argument(argument, root);
            let decode = quote_spanned!(ty.span()=> let #local: #ty = __args.next(#name)?;);
            quote!(#check #decode)
        });
    let returned = returned(&method.output);
    let check = assert::value(&method.output, root);
    let finish = finish(&method.output, root);
    // At the method's name: a body that cannot move between threads is reported there.
    let run = quote_spanned! {ident.span()=>
        ::std::boxed::Box::pin(async move {
            let #returned = #function(&#receiver, #(#locals),*).await;
            #check
            #finish
        })
    };
    quote! {
        |#receiver, __args| {
            #reader
            #(#decoded)*
            ::core::result::Result::Ok(#run)
        }
    }
}

/// A task's policy as an expression.
pub(crate) fn policy(policy: &Policy, root: &Root) -> TokenStream {
    let retry = retry(&policy.retry, root);
    let timeout_ms = option_u64(policy.timeout_ms);
    let grace_ms = option_u64(policy.grace_ms);
    quote! {
        #root::TaskPolicy {
            retry: #retry,
            timeout_ms: #timeout_ms,
            grace_ms: #grace_ms,
        }
    }
}

fn retry(retry: &Retry, root: &Root) -> TokenStream {
    match retry {
        Retry::Unset => quote!(#root::RetrySetting::Unset),
        Retry::Never => quote!(#root::RetrySetting::None),
        Retry::Exponential(exponential) => {
            let Exponential {
                max_attempts,
                initial_ms,
                max_ms,
                jitter,
                coefficient,
            } = &**exponential;
            let max_ms = option_u64(*max_ms);
            quote! {
                #root::RetrySetting::Exponential(#root::ExponentialRetry {
                    max_attempts: #max_attempts,
                    initial_ms: #initial_ms,
                    max_ms: #max_ms,
                    jitter: #jitter,
                    coefficient: #coefficient,
                })
            }
        }
        Retry::With(expression) => {
            let expression = expression.to_token_stream();
            quote!(#root::RetrySetting::Custom(|| ::std::boxed::Box::new(#expression)))
        }
    }
}
