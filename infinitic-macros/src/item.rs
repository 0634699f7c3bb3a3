//! The way of an item through the three stages, for `#[service]` and `#[workflow]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Item, ItemFn, ItemImpl, ItemStruct, ItemTrait};

use crate::args::item_args;
use crate::diagnostics::Faults;
use crate::model::Kind;
use crate::{expand, fallback, parse, validate};

/// Expands one item.
pub(crate) fn expand(args: TokenStream, input: TokenStream, kind: Kind) -> TokenStream {
    let mut faults = Faults::default();
    expand_into(args, input, kind, &mut faults).finish(faults)
}

/// An item to give back, and what was generated beside it.
pub(crate) struct Expansion {
    item: TokenStream,
    generated: TokenStream,
}

impl Expansion {
    fn finish(self, faults: Faults) -> TokenStream {
        fallback::assemble(self.item, self.generated, faults)
    }
}

/// Expands one item, with the faults apart.
pub(crate) fn expand_into(
    args: TokenStream,
    input: TokenStream,
    kind: Kind,
    faults: &mut Faults,
) -> Expansion {
    match syn::parse2::<Item>(input.clone()) {
        Ok(Item::Trait(item)) => trait_(args, item, kind, faults),
        Ok(Item::Impl(item)) => impl_(args, item, kind, faults),
        Ok(Item::Fn(item)) => function(args, item, kind, faults),
        Ok(Item::Struct(item)) if kind == Kind::Workflow => structure(args, item, faults),
        Ok(item) => {
            refuse(&item, kind, faults);
            Expansion {
                item: input,
                generated: TokenStream::new(),
            }
        }
        Err(error) => {
            faults.push(error);
            Expansion {
                item: input,
                generated: TokenStream::new(),
            }
        }
    }
}

fn trait_(args: TokenStream, mut item: ItemTrait, kind: Kind, faults: &mut Faults) -> Expansion {
    let args = item_args(args, kind, &["name", "crate"], faults);
    let contract = parse::trait_::parse(&mut item, kind, args, faults);
    let contract = validate::contract(contract, faults);
    let stub = expand::stub::expand(&contract);
    let checks = expand::assert::expand(&contract);
    Expansion {
        item: expand::trait_::expand(item, &contract),
        generated: quote!(#stub #checks),
    }
}

fn impl_(args: TokenStream, mut item: ItemImpl, kind: Kind, faults: &mut Faults) -> Expansion {
    let accepted: &[&str] = if item.trait_.is_some() {
        &["crate"]
    } else {
        &["name", "crate"]
    };
    let args = item_args(args, kind, accepted, faults);
    let parsed = parse::implementation::parse(&mut item, kind, args, faults);
    let generated = parsed.map(|parsed| {
        let contract = parsed
            .contract
            .map(|contract| validate::contract(contract, faults));
        let implementation =
            validate::implementation(parsed.implementation, contract.as_ref(), faults);
        let stub = contract.as_ref().map(expand::stub::expand);
        let checks = contract.as_ref().map(expand::assert::expand);
        let dispatch = expand::dispatch::expand(&implementation);
        quote!(#stub #checks #dispatch)
    });
    Expansion {
        item: item.into_token_stream(),
        generated: generated.unwrap_or_default(),
    }
}

fn function(args: TokenStream, mut item: ItemFn, kind: Kind, faults: &mut Faults) -> Expansion {
    let accepted: &[&str] = match kind {
        Kind::Service => &["name", "crate"],
        Kind::Workflow => &["name", "version", "crate"],
    };
    let args = item_args(args, kind, accepted, faults);
    let function = parse::function::parse(&mut item, kind, args, faults);
    let (contract, parts) = validate::function(function, faults);
    let stub = expand::stub::expand(&contract);
    let checks = expand::assert::expand(&contract);
    let item = match parts {
        Some(parts) => expand::function::expand(&contract, &parts),
        None => item.into_token_stream(),
    };
    Expansion {
        item,
        generated: quote!(#stub #checks),
    }
}

fn structure(args: TokenStream, mut item: ItemStruct, faults: &mut Faults) -> Expansion {
    let args = item_args(args, Kind::Workflow, &["version", "crate"], faults);
    let structure = parse::structure::parse(&mut item, args, faults);
    let structure = validate::structure(structure, faults);
    let generated = expand::structure::expand(&structure);
    Expansion {
        item: item.into_token_stream(),
        generated,
    }
}

/// Expands `#[derive(TaskError)]`; the compiler keeps the item itself.
pub(crate) fn task_error(input: TokenStream) -> TokenStream {
    let mut faults = Faults::default();
    let generated = match syn::parse2::<DeriveInput>(input) {
        Ok(item) => {
            let error = parse::task_error::parse(&item, &mut faults);
            error.map(|error| expand::task_error::expand(&validate::task_error(error, &mut faults)))
        }
        Err(error) => {
            faults.push(error);
            None
        }
    };
    fallback::assemble(TokenStream::new(), generated.unwrap_or_default(), faults)
}

/// Reports an item that the attribute says nothing about.
fn refuse(item: &Item, kind: Kind, faults: &mut Faults) {
    let attribute = kind.attribute();
    let blamed = match item {
        Item::Enum(item) => item.enum_token.to_token_stream(),
        Item::Const(item) => item.const_token.to_token_stream(),
        Item::Static(item) => item.static_token.to_token_stream(),
        Item::Mod(item) => item.mod_token.to_token_stream(),
        Item::Type(item) => item.type_token.to_token_stream(),
        Item::Struct(item) => item.struct_token.to_token_stream(),
        other => other.to_token_stream(),
    };
    let (accepted, write) = match kind {
        Kind::Service => (
            "a `trait`, an `impl` or an `async fn`",
            "`#[service]` on the `impl` that holds the tasks",
        ),
        Kind::Workflow => (
            "a `trait`, a `struct`, an `impl` or an `async fn`",
            "`#[workflow]` on the struct that holds the properties",
        ),
    };
    faults.at(
        blamed,
        format!("`#[{attribute}]` has no meaning here"),
        accepted,
        write,
    );
}
