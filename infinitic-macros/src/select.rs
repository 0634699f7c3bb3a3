//! `select!` and `join!`: plain polling in the order written, with no help from any runtime.
//!
//! The futures are pinned on the stack and may borrow. Their temporaries live as long as they do,
//! as those of an ordinary `.await`, because the futures are made in the head of a `match`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Pat, Token};

use crate::hygiene::local;

/// One arm: `pattern = future => handler`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) pattern: Pat,
    pub(crate) future: Expr,
    pub(crate) handler: Expr,
}

/// The whole of a `select!`.
#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) arms: Vec<Arm>,
    pub(crate) otherwise: Option<Expr>,
}

const ARM: &str = "\n  accepted: `pattern = future => expression`\n  write: ";

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut select = Self {
            arms: Vec::new(),
            otherwise: None,
        };
        while !input.is_empty() {
            if let Some(otherwise) = &select.otherwise {
                let what =
                    "`else` is not the last arm\n  accepted: `else => expression` at the end";
                let message = format!("{what}\n  write: the `else` arm after all others");
                return Err(syn::Error::new_spanned(otherwise, message));
            }
            if input.peek(Token![else]) {
                input.parse::<Token![else]>()?;
                input.parse::<Token![=>]>()?;
                select.otherwise = Some(handler(input)?);
            } else {
                select.arms.push(input.parse()?);
            }
        }
        if select.arms.is_empty() {
            let what = "`select!` has nothing to wait for";
            let message = format!("{what}{ARM}`select! {{ value = call => value }}`");
            return Err(syn::Error::new(Span::call_site(), message));
        }
        Ok(select)
    }
}

impl Parse for Arm {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if !input.peek(Token![=]) || input.peek(Token![=>]) {
            let message = format!("this arm waits for nothing{ARM}`= future` after the pattern");
            return Err(syn::Error::new_spanned(pattern, message));
        }
        input.parse::<Token![=]>()?;
        let future: Expr = input.parse()?;
        if !input.peek(Token![=>]) {
            let message = format!("this arm has no handler{ARM}`=> expression` after the future");
            return Err(syn::Error::new_spanned(future, message));
        }
        input.parse::<Token![=>]>()?;
        Ok(Self {
            pattern,
            future,
            handler: handler(input)?,
        })
    }
}

/// Reads a handler and the comma behind it, which may be missing after a block, as in a `match`.
fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    let handler = Expr::parse_with_earlier_boundary_rule(input)?;
    let is_block = matches!(
        handler,
        Expr::Block(_)
            | Expr::If(_)
            | Expr::Match(_)
            | Expr::Loop(_)
            | Expr::While(_)
            | Expr::ForLoop(_)
            | Expr::Unsafe(_)
    );
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    } else if !input.is_empty() && !is_block {
        let message = format!("here a comma is missing{ARM}a `,` between the arms");
        return Err(syn::Error::new(input.span(), message));
    }
    Ok(handler)
}

/// Expands `select!`.
pub(crate) fn select(input: TokenStream) -> TokenStream {
    match syn::parse2::<Select>(input) {
        Ok(select) => expand_select(&select),
        Err(error) => error.to_compile_error(),
    }
}

/// The identifiers that one arm needs.
struct Names {
    future: Ident,
    open: Ident,
    variant: Ident,
}

fn arm_names(index: usize) -> Names {
    Names {
        future: local("f", index),
        open: local("open", index),
        variant: format_ident!("Arm{index}", span = Span::mixed_site()),
    }
}

fn expand_select(select: &Select) -> TokenStream {
    let site = Span::mixed_site();
    let names: Vec<Names> = (0..select.arms.len()).map(arm_names).collect();
    let variants: Vec<&Ident> = names.iter().map(|name| &name.variant).collect();
    let futures: Vec<&Ident> = names.iter().map(|name| &name.future).collect();
    let opens: Vec<&Ident> = names.iter().map(|name| &name.open).collect();
    let waits = select.arms.iter().map(|arm| &arm.future);
    let refutable = select.otherwise.is_some();
    let polls = select
        .arms
        .iter()
        .zip(&names)
        .map(|(arm, name)| poll_arm(arm, name, refutable));
    let handlers = select
        .arms
        .iter()
        .zip(&names)
        .map(|(arm, name)| handle(arm, name, refutable));
    let otherwise = select
        .otherwise
        .as_ref()
        .map(|handler| quote_spanned!(site=> __Selected::Otherwise => #handler,));
    let (declared, flags, last) = if refutable {
        let flags = quote_spanned!(site=> #(let mut #opens = true;)*);
        let last = quote_spanned! {site=>
            if !(#(#opens)||*) {
                return ::core::task::Poll::Ready(__Selected::Otherwise);
            }
        };
        (quote_spanned!(site=> Otherwise,), flags, last)
    } else {
        (TokenStream::new(), TokenStream::new(), TokenStream::new())
    };
    quote_spanned! {site=>
        {
            enum __Selected<#(#variants),*> {
                #(#variants(#variants),)*
                #declared
            }
            #[allow(clippy::match_single_binding)]
            let __selected = match (#(::core::future::IntoFuture::into_future(#waits),)*) {
                (#(#futures,)*) => {
                    #(let mut #futures = ::core::pin::pin!(#futures);)*
                    #flags
                    ::core::future::poll_fn(|__context| {
                        #(#polls)*
                        #last
                        ::core::task::Poll::Pending
                    })
                    .await
                }
            };
            match __selected {
                #(#handlers)*
                #otherwise
            }
        }
    }
}

/// Polls one arm; with `else`, a value that does not match its pattern closes the arm.
fn poll_arm(arm: &Arm, names: &Names, refutable: bool) -> TokenStream {
    let site = Span::mixed_site();
    let Names {
        future,
        open,
        variant,
    } = names;
    if !refutable {
        return quote_spanned! {site=>
            if let ::core::task::Poll::Ready(__value) =
                ::core::future::Future::poll(#future.as_mut(), __context)
            {
                return ::core::task::Poll::Ready(__Selected::#variant(__value));
            }
        };
    }
    let mut probe = arm.pattern.clone();
    ByReference.visit_pat_mut(&mut probe);
    quote_spanned! {site=>
        if #open {
            if let ::core::task::Poll::Ready(__value) =
                ::core::future::Future::poll(#future.as_mut(), __context)
            {
                #open = false;
                #[allow(unused_variables, unreachable_patterns, clippy::all)]
                let __matches = match &__value {
                    #probe => true,
                    _ => false,
                };
                if __matches {
                    return ::core::task::Poll::Ready(__Selected::#variant(__value));
                }
            }
        }
    }
}

fn handle(arm: &Arm, names: &Names, refutable: bool) -> TokenStream {
    let site = Span::mixed_site();
    let variant = &names.variant;
    let (pattern, handler) = (&arm.pattern, &arm.handler);
    let rest = refutable.then(|| {
        quote_spanned! {site=>
            #[allow(unreachable_patterns)]
            _ => ::core::unreachable!("an arm is chosen only when its pattern matches"),
        }
    });
    quote_spanned! {site=>
        #[allow(unused_mut)]
        __Selected::#variant(mut __value) => {
            #[allow(clippy::match_single_binding)]
            match __value {
                #pattern => #handler,
                #rest
            }
        }
    }
}

/// Turns a pattern into one that tells by reference whether a value matches: no bindings by value.
struct ByReference;

impl VisitMut for ByReference {
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        if let Pat::Reference(reference) = pattern {
            *pattern = (*reference.pat).clone();
            self.visit_pat_mut(pattern);
            return;
        }
        if let Pat::Ident(ident) = pattern {
            ident.by_ref = None;
            ident.mutability = None;
        }
        visit_mut::visit_pat_mut(self, pattern);
    }
}

/// Expands `join!`.
pub(crate) fn join(input: TokenStream) -> TokenStream {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(input);
    match parsed {
        Ok(waits) if waits.is_empty() => {
            let message = "`join!` has nothing to wait for\n  accepted: one or more futures\n  \
                           write: `join!(first, second)`";
            syn::Error::new(Span::call_site(), message).to_compile_error()
        }
        Ok(waits) => expand_join(&waits),
        Err(error) => error.to_compile_error(),
    }
}

fn expand_join(waits: &Punctuated<Expr, Token![,]>) -> TokenStream {
    let site = Span::mixed_site();
    let count = waits.len();
    let futures: Vec<Ident> = (0..count).map(|index| local("f", index)).collect();
    let values: Vec<Ident> = (0..count).map(|index| local("v", index)).collect();
    let taken: Vec<Ident> = (0..count).map(|index| local("t", index)).collect();
    let waits = waits.iter();
    quote_spanned! {site=>
        match (#(::core::future::IntoFuture::into_future(#waits),)*) {
            (#(#futures,)*) => {
                #(let mut #futures = ::core::pin::pin!(#futures);)*
                #(let mut #values = ::core::option::Option::None;)*
                ::core::future::poll_fn(|__context| {
                    #(
                        if #values.is_none() {
                            if let ::core::task::Poll::Ready(__value) =
                                ::core::future::Future::poll(#futures.as_mut(), __context)
                            {
                                #values = ::core::option::Option::Some(__value);
                            }
                        }
                    )*
                    match (#(#values.take(),)*) {
                        (#(::core::option::Option::Some(#taken),)*) => {
                            ::core::task::Poll::Ready((#(#taken,)*))
                        }
                        (#(#taken,)*) => {
                            #(#values = #taken;)*
                            ::core::task::Poll::Pending
                        }
                    }
                })
                .await
            }
        }
    }
}
