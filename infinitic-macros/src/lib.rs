//! Attribute macros of infinitic: `#[service]`, `#[workflow]`, `#[derive(TaskError)]`, `select!`
//! and `join!`.
//!
//! They are documented where users meet them, in the crate `infinitic`. Each item goes one way
//! through three stages: `parse` reads it into `model`, `validate` refuses what is wrong, `expand`
//! writes code that only calls the runtime's hidden module. The variable `INFINITIC_MACRO_DEBUG`,
//! set to anything, prints each expansion on standard error.

mod args;
mod determinism;
mod diagnostics;
mod duration;
mod expand;
mod fallback;
mod helpers;
mod hygiene;
mod item;
mod model;
mod parse;
mod policy;
mod select;
#[cfg(test)]
mod tests;
mod validate;

use proc_macro::TokenStream;

/// Declares a service: on a trait, an `impl`, or a function.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    shown(
        "service",
        item::expand(args.into(), item.into(), model::Kind::Service),
    )
}

/// Declares a workflow: on a trait, a struct, an `impl`, or a function.
#[proc_macro_attribute]
pub fn workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    shown(
        "workflow",
        item::expand(args.into(), item.into(), model::Kind::Workflow),
    )
}

/// Makes an error type travel typed, with a retry policy for each variant.
#[proc_macro_derive(TaskError, attributes(fatal, retry, from, task_error))]
pub fn task_error(item: TokenStream) -> TokenStream {
    shown("TaskError", item::task_error(item.into()))
}

/// Waits for the first of several futures; arms are tried in the order in which they are written.
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    shown("select", select::select(input.into()))
}

/// Waits for all of several futures and gives a tuple.
#[proc_macro]
pub fn join(input: TokenStream) -> TokenStream {
    shown("join", select::join(input.into()))
}

/// Prints an expansion when asked to.
fn shown(name: &str, tokens: proc_macro2::TokenStream) -> TokenStream {
    if std::env::var_os("INFINITIC_MACRO_DEBUG").is_some() {
        eprintln!("// expansion of {name}\n{tokens}\n");
    }
    tokens.into()
}
