//! Error types: what a failed attempt means, and the conversions that `?` uses.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{From, Hint, TaskError, Variant};
use crate::validate::Validated;

/// The impl of `TaskError`, and the conversions from failures of calls.
pub(crate) fn expand(error: &Validated<TaskError>) -> TokenStream {
    let TaskError {
        root,
        ident,
        generics,
        ..
    } = &**error;
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let retry_hint = retry_hint(error);
    let failure = failure(error);
    let conversions = match fallback(error) {
        Some((variant, from)) => conversions(error, &construct(variant, from, &quote!(failure))),
        None => unsupported(error),
    };
    quote! {
        #[automatically_derived]
        impl #impl_generics #root::TaskError for #ident #type_generics #clause {
            #retry_hint
            #failure
        }
        #conversions
    }
}

fn retry_hint(error: &TaskError) -> TokenStream {
    let root = &error.root;
    let arms = error.variants.iter().filter_map(|variant| {
        let (path, cfgs) = (&variant.path, &variant.cfgs);
        let hint = match variant.hint {
            Hint::Policy => return None,
            Hint::Never => quote!(#root::RetryHint::Never),
            Hint::AfterMs(ms) => quote!(#root::RetryHint::AfterMs(#ms)),
        };
        Some(quote!(#(#cfgs)* #path { .. } => #hint,))
    });
    quote! {
        fn retry_hint(&self) -> #root::RetryHint {
            #[allow(unreachable_patterns)]
            match self {
                #(#arms)*
                _ => #root::RetryHint::Policy,
            }
        }
    }
}

fn failure(error: &TaskError) -> TokenStream {
    let root = &error.root;
    let arm = fallback(error).map(|(variant, from)| {
        let (path, cfgs, member) = (&variant.path, &variant.cfgs, &from.member);
        quote! {
            #(#cfgs)*
            #path { #member: failure, .. } => ::core::option::Option::Some(failure),
        }
    });
    quote! {
        fn failure(&self) -> ::core::option::Option<&#root::Failure> {
            #[allow(unreachable_patterns)]
            match self {
                #arm
                _ => ::core::option::Option::None,
            }
        }
    }
}

/// The variant that takes whatever is not the callee's own error.
fn fallback(error: &TaskError) -> Option<(&Variant, &From)> {
    error.variants.iter().find_map(|variant| {
        let from = variant.from.as_ref().filter(|from| from.is_failure)?;
        Some((variant, from))
    })
}

fn construct(variant: &Variant, from: &From, value: &TokenStream) -> TokenStream {
    let (path, member) = (&variant.path, &from.member);
    quote!(#path { #member: #value })
}

/// One `From` for each way in which a call can fail.
fn conversions(error: &TaskError, fallback: &TokenStream) -> TokenStream {
    let TaskError {
        root,
        ident,
        generics,
        ..
    } = error;
    let (_, type_generics, _) = generics.split_for_impl();
    let of_variants = error.variants.iter().filter_map(|variant| {
        let from = variant.from.as_ref()?;
        let plain = (!error.has_error_attribute).then(|| from_source(error, variant, from));
        let failed = (!from.is_failure).then(|| {
            let own = construct(variant, from, &quote!(error));
            let ty = &from.ty;
            from_failure(
                error,
                &quote_spanned!(ty.span()=> #ty),
                &own,
                fallback,
                variant,
            )
        });
        Some(quote!(#plain #failed))
    });
    let whole = Variant {
        path: quote!(Self),
        cfgs: Vec::new(),
        hint: Hint::Policy,
        from: None,
    };
    let of_self = from_failure(
        error,
        &quote!(#ident #type_generics),
        &quote!(error),
        fallback,
        &whole,
    );
    let never = quote!(match error {});
    let of_never = from_failure(error, &quote!(#root::Never), &never, fallback, &whole);
    quote! {
        #(#of_variants)*
        #of_self
        #of_never
    }
}

/// `From<X>`, as `thiserror` would write it.
fn from_source(error: &TaskError, variant: &Variant, from: &From) -> TokenStream {
    let TaskError {
        ident, generics, ..
    } = error;
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let (cfgs, ty) = (&variant.cfgs, &from.ty);
    let made = construct(variant, from, &quote!(source));
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#ty> for #ident #type_generics #clause {
            fn from(source: #ty) -> Self {
                #made
            }
        }
    }
}

/// `From<Failure<X>>`: the callee's own error as `own` says, anything else into the fallback.
fn from_failure(
    error: &TaskError,
    source: &TokenStream,
    own: &TokenStream,
    fallback: &TokenStream,
    variant: &Variant,
) -> TokenStream {
    let TaskError {
        root,
        ident,
        generics,
        ..
    } = error;
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let cfgs = &variant.cfgs;
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#root::Failure<#source>>
            for #ident #type_generics #clause
        {
            fn from(failure: #root::Failure<#source>) -> Self {
                #[allow(unreachable_patterns, unreachable_code)]
                match #root::own_error(failure) {
                    ::core::result::Result::Ok(error) => #own,
                    ::core::result::Result::Err(failure) => #fallback,
                }
            }
        }
    }
}

/// Without a fallback no failure can be converted; this impl makes the compiler say what to add.
fn unsupported(error: &TaskError) -> TokenStream {
    let TaskError {
        root,
        ident,
        generics,
        ..
    } = error;
    let (_, type_generics, clause) = generics.split_for_impl();
    let predicates = clause.map(|clause| &clause.predicates);
    let mut extended = generics.clone();
    extended.params.push(syn::parse_quote!(__E));
    let (impl_generics, _, _) = extended.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#root::Failure<__E>> for #ident #type_generics
        where
            Self: #root::FromFailure<__E>,
            #predicates
        {
            fn from(failure: #root::Failure<__E>) -> Self {
                #root::FromFailure::from_failure(failure)
            }
        }
    }
}
