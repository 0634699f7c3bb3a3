//! Golden expansions: what users get for typical inputs, formatted, so that a review of a change
//! shows what it does to them. `UPDATE_GOLDEN=1 cargo test -p infinitic-macros` writes them anew.

// A test that cannot read its fixture has nothing better to do than to panic.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item, Meta};

use crate::diagnostics::Faults;
use crate::model::Kind;
use crate::{item, select};

/// Compares the expansion of `tests/golden/<name>.rs` with `tests/golden/<name>.expanded.rs`.
fn check(name: &str) {
    let source = read(&format!("{name}.rs"));
    let file: syn::File = syn::parse_str(&source).unwrap();
    let expanded: TokenStream = file.items.into_iter().map(expand).collect();
    compare(name, &expanded);
}

/// The same for a macro that stands in an expression.
fn check_expression(name: &str, expand: fn(TokenStream) -> TokenStream) {
    let input: TokenStream = read(&format!("{name}.rs")).parse().unwrap();
    let expanded = expand(input);
    compare(name, &quote!(async fn example() { #expanded }));
}

fn compare(name: &str, expanded: &TokenStream) {
    let file = syn::parse2(expanded.clone()).unwrap_or_else(|e| panic!("{e}:\n{expanded}"));
    let found = prettyplease::unparse(&file);
    let path = golden(&format!("{name}.expanded.rs"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} differs; the expansion is now:\n{found}",
        path.display()
    );
}

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(golden(file)).unwrap()
}

/// Expands an item as the compiler would: by its first attribute of ours, if it has one.
fn expand(mut item: Item) -> TokenStream {
    let input = item.to_token_stream();
    let Some(attrs) = attributes(&mut item) else {
        return input;
    };
    let found = attrs
        .iter()
        .position(|attr| attr.path().is_ident("service") || attr.path().is_ident("workflow"));
    if let Some(position) = found {
        let attribute = attrs.remove(position);
        let kind = if attribute.path().is_ident("service") {
            Kind::Service
        } else {
            Kind::Workflow
        };
        let args = match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        return item::expand(args, item.to_token_stream(), kind);
    }
    let derived = matches!(item, Item::Enum(_)).then(|| item::task_error(input.clone()));
    derived.unwrap_or(input)
}

fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Trait(item) => Some(&mut item.attrs),
        Item::Impl(item) => Some(&mut item.attrs),
        Item::Struct(item) => Some(&mut item.attrs),
        Item::Enum(item) => Some(&mut item.attrs),
        Item::Fn(item) => Some(&mut item.attrs),
        _ => None,
    }
}

#[test]
fn service_trait() {
    check("service_trait");
}

#[test]
fn service_impl() {
    check("service_impl");
}

#[test]
fn service_inherent() {
    check("service_inherent");
}

#[test]
fn service_function() {
    check("service_function");
}

#[test]
fn workflow_trait() {
    check("workflow_trait");
}

#[test]
fn workflow_struct_and_impl() {
    check("workflow_struct_and_impl");
}

#[test]
fn workflow_inherent() {
    check("workflow_inherent");
}

#[test]
fn workflow_function() {
    check("workflow_function");
}

#[test]
fn task_error_with_fallback() {
    check("task_error_with_fallback");
}

#[test]
fn task_error_without_fallback() {
    check("task_error_without_fallback");
}

#[test]
fn faulty_items_are_given_back_with_all_their_errors() {
    check("faulty_trait");
}

#[test]
fn select_of_two() {
    check_expression("select_of_two", select::select);
}

#[test]
fn select_with_else() {
    check_expression("select_with_else", select::select);
}

#[test]
fn join_of_two() {
    check_expression("join_of_two", select::join);
}

/// The messages that an item gets.
fn messages(source: &str) -> Vec<String> {
    let Item::Impl(mut found) = syn::parse_str(source).unwrap() else {
        panic!("no impl")
    };
    let attribute = found.attrs.remove(0);
    let kind = if attribute.path().is_ident("service") {
        Kind::Service
    } else {
        Kind::Workflow
    };
    let mut faults = Faults::default();
    item::expand_into(
        TokenStream::new(),
        found.to_token_stream(),
        kind,
        &mut faults,
    );
    faults.messages()
}

#[test]
fn every_message_has_its_three_parts() {
    let found = messages(
        r#"#[service] impl Payments for Stripe {
            #[retry(max_attempts = 0, jitter = 2, often = true)]
            #[timeout("5 parsecs")]
            fn charge<T>(&mut self, (a, b): (u8, u8), card: &str) -> impl Sized {}
        }"#,
    );
    assert_eq!(found.len(), 10, "{found:#?}");
    for message in found {
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert!(lines[1].starts_with("  accepted: ") && lines[2].starts_with("  write: "));
    }
}

#[test]
fn workflow_code_is_checked_but_what_is_recorded_is_not() {
    let found = messages(
        r#"#[workflow] impl Orders for V1 {
            async fn start(&self) {
                let when = inline(|| SystemTime::now());
                step("resize", move || async move { tokio::fs::read("x").await }).await;
                select! {
                    _ = tokio::time::sleep(d) => println!("late"),
                    x = call() => rand::random(),
                }
                let seen: HashMap<u8, u8> = HashMap::new();
            }
            #[allow_nondeterminism("only counted")]
            async fn count(&self) { HashSet::<u8>::new(); }
        }"#,
    );
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn workflow_code_does_not_log_at_each_replay() {
    let found = messages(
        r#"#[workflow] impl Orders for V1 {
            async fn start(&self) {
                tracing::info!(order = 7, "begun");
                ::log::log!(Level::Info, "begun");
                tracing::event!(Level::INFO, "begun");
                select! { _ = call() => error!("late") };
                inline(|| tracing::info!("begun"));
                step("log", || async { tracing::warn!("begun") }).await;
                event!("of something else");
            }
        }"#,
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("write: `inline(|| tracing::info!(…))`"));
    assert!(found[1].contains("write: `inline(|| log::log!(…))`"));
}

#[test]
fn a_renamed_runtime_leaves_no_trace_of_the_default_path() {
    let args = quote!(crate = some::reexport);
    let inputs = [
        quote!(
            trait Payments {
                async fn charge(&self, card: Card) -> Result<Receipt>;
            }
        ),
        quote!(impl Payments { async fn charge(&self, card: Card) -> Result<Receipt, E> {} }),
        quote!(
            async fn charge(card: Card) -> Receipt {}
        ),
    ];
    for input in inputs {
        for kind in [Kind::Service, Kind::Workflow] {
            let expanded = item::expand(args.clone(), input.clone(), kind).to_string();
            assert!(!expanded.contains(":: infinitic"), "{expanded}");
            assert!(expanded.contains("some :: reexport :: __private"));
        }
    }
}
