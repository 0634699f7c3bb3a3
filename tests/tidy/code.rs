//! Rules on the syntax of a file.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::Fault;
use crate::source::Source;

/// Longest function, from its `fn` to its closing brace: it fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer, with the reason; at most five.
const LONG_FUNCTIONS: [(&str, &str, &str); 0] = [];

/// Functions stay on one screen, outside of tests.
pub(crate) fn function_lengths(sources: &[Source]) -> Vec<Fault> {
    assert!(LONG_FUNCTIONS.len() <= 5, "at most five long functions");
    let mut needed = BTreeSet::new();
    let mut faults = Vec::new();
    for source in sources {
        for (name, line, length) in long_functions(source) {
            let listed = |(path, function, _): &&(&str, &str, &str)| {
                *path == source.path && *function == name
            };
            if let Some((path, function, _)) = LONG_FUNCTIONS.iter().find(listed) {
                needed.insert((*path, *function));
                continue;
            }
            let rule = format!(
                "`{name}` has {length} lines; a function has at most {FUNCTION_LINES_MAX}; let \
                 it branch, and leave the work to functions of its own"
            );
            faults.push(Fault::new(source, line, rule));
        }
    }
    for (path, function, _) in LONG_FUNCTIONS {
        if !needed.contains(&(path, function)) {
            faults.push(Fault::stale(path, function));
        }
    }
    faults
}

fn long_functions(source: &Source) -> Vec<(String, usize, usize)> {
    let mut functions = Functions::default();
    if let Some(syntax) = source.syntax() {
        functions.visit_file(syntax);
    }
    let mut found = functions.found;
    found.retain(|(_, line, length)| *length > FUNCTION_LINES_MAX && !source.is_test(*line));
    found
}

/// Name, line and length of every function with a body.
#[derive(Default)]
struct Functions {
    found: Vec<(String, usize, usize)>,
}

impl Functions {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span().start().line;
        let last = body.brace_token.span.close().end().line;
        let name = signature.ident.to_string();
        self.found.push((name, first, last + 1 - first));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Every message has an answer in every state: a new variant must not fall into an arm that was
/// written before it.
pub(crate) fn wildcard_arms(source: &Source) -> Vec<Fault> {
    let mut arms = Wildcards::default();
    if source.path.starts_with("infinitic-core/src/engine/")
        && let Some(syntax) = source.syntax()
    {
        arms.visit_file(syntax);
    }
    let lines = arms.found.into_iter().map(|span| span.start().line);
    lines
        .filter(|line| !source.is_test(*line))
        .map(|line| {
            let rule = "a wildcard arm; the engine names each variant, so that a new one is seen";
            Fault::new(source, line, rule)
        })
        .collect()
}

/// Arms that take whatever is left. A guard does not make one exhaustive, but hides variants too.
#[derive(Default)]
struct Wildcards {
    found: Vec<Span>,
}

impl<'ast> Visit<'ast> for Wildcards {
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if matches!(arm.pat, syn::Pat::Wild(_)) {
            self.found.push(arm.pat.span());
        }
        visit::visit_arm(self, arm);
    }
}

/// Imports come in up to three blocks: the standard library's, other crates', this crate's.
pub(crate) fn imports(source: &Source) -> Vec<Fault> {
    let Some(syntax) = source.syntax() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    import_order(source, &syntax.items, &mut faults);
    faults
}

fn import_order(source: &Source, items: &[syn::Item], faults: &mut Vec<Fault>) {
    let modules: BTreeSet<String> = items.iter().filter_map(module_name).collect();
    let mut before: Option<(Owner, usize)> = None;
    for item in items {
        match item {
            syn::Item::Use(import) if matches!(import.vis, syn::Visibility::Inherited) => {
                let owner = owner(&import.tree, &modules);
                let first = first_line(import);
                if let Some((last_owner, last_line)) = before
                    && let Some(rule) = misplaced(last_owner, owner, first - last_line - 1)
                {
                    faults.push(Fault::new(source, first, rule));
                }
                before = Some((owner, import.semi_token.span().end().line));
            }
            syn::Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    import_order(source, items, faults);
                }
            }
            _ => {}
        }
    }
}

fn misplaced(before: Owner, now: Owner, lines_between: usize) -> Option<String> {
    if now < before {
        return Some(format!(
            "an import of {now:?} after one of {before:?}; the order is Standard, Others, Ours"
        ));
    }
    (now != before && lines_between == 0).then(|| {
        format!("imports of {before:?} and {now:?} in one block; put a blank line between them")
    })
}

fn module_name(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        syn::Item::Enum(item) => Some(item.ident.to_string()),
        _ => None,
    }
}

fn first_line(import: &syn::ItemUse) -> usize {
    let attribute = import.attrs.first().map(|first| first.span().start().line);
    attribute.unwrap_or_else(|| import.use_token.span().start().line)
}

/// Whose code an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Standard,
    Others,
    Ours,
}

fn owner(tree: &syn::UseTree, modules: &BTreeSet<String>) -> Owner {
    let first = match tree {
        syn::UseTree::Path(path) => path.ident.to_string(),
        syn::UseTree::Name(name) => name.ident.to_string(),
        syn::UseTree::Rename(rename) => rename.ident.to_string(),
        syn::UseTree::Glob(_) | syn::UseTree::Group(_) => return Owner::Others,
    };
    match first.as_str() {
        "std" | "core" | "alloc" | "proc_macro" => Owner::Standard,
        "crate" | "self" | "super" => Owner::Ours,
        name if modules.contains(name) => Owner::Ours,
        _ => Owner::Others,
    }
}

#[cfg(test)]
mod tests {
    //! Planted faults.

    use super::*;

    const ENGINE: &str = "infinitic-core/src/engine/a.rs";

    fn function(lines: usize) -> Source {
        let body = "    let _ = 1;\n".repeat(lines - 2);
        Source::new(ENGINE, &format!("//! A.\n\nfn long() {{\n{body}}}\n"))
    }

    #[test]
    fn a_long_function_is_found() {
        assert_eq!(long_functions(&function(FUNCTION_LINES_MAX)), []);
        let found = long_functions(&function(FUNCTION_LINES_MAX + 1));
        assert_eq!(found, [("long".to_owned(), 3, FUNCTION_LINES_MAX + 1)]);
    }

    #[test]
    fn a_wildcard_arm_is_found() {
        let text =
            "//! A.\nfn f(a: A) {\n    match a {\n        A::B => 1,\n        _ => 2,\n    }\n}\n";
        assert_eq!(wildcard_arms(&Source::new(ENGINE, text))[0].line, 5);
        let elsewhere = Source::new("infinitic-runtime/src/a.rs", text);
        assert_eq!(wildcard_arms(&elsewhere), []);
    }

    fn import_faults(text: &str) -> usize {
        imports(&Source::new(ENGINE, text)).len()
    }

    #[test]
    fn misplaced_imports_are_found() {
        let good = "use std::fmt;\n\nuse serde::Serialize;\n\nuse crate::ids::RunNo;\n";
        assert_eq!(import_faults(good), 0);
        assert_eq!(import_faults("use std::fmt;\nuse crate::ids::RunNo;\n"), 1);
        assert_eq!(
            import_faults("use crate::ids::RunNo;\n\nuse std::fmt;\n"),
            1
        );
        assert_eq!(import_faults("mod a;\n\nuse serde::De;\nuse a::B;\n"), 1);
    }
}
