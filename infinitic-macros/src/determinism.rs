//! Workflow code is replayed, so it must do the same each time: what would not is refused here, at
//! the offending token, with the replacement.
//!
//! This is a net, not a proof: it knows names, not types. What slips through is caught at run time,
//! when a history no longer matches its code.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, Macro, Path, Stmt, Token};

use crate::diagnostics::Faults;
use crate::select::Select;

/// A forbidden path: its last segments, or its first ones.
struct Rule {
    path: &'static [&'static str],
    place: Where,
    what: &'static str,
    write: &'static str,
}

/// Which end of a path a rule looks at.
enum Where {
    Start,
    End,
    Anywhere,
}

const fn start(path: &'static [&'static str], what: &'static str, write: &'static str) -> Rule {
    Rule {
        path,
        place: Where::Start,
        what,
        write,
    }
}

const fn end(path: &'static [&'static str], what: &'static str, write: &'static str) -> Rule {
    Rule {
        path,
        place: Where::End,
        what,
        write,
    }
}

const fn anywhere(path: &'static [&'static str], what: &'static str, write: &'static str) -> Rule {
    Rule {
        path,
        place: Where::Anywhere,
        what,
        write,
    }
}

const CLOCK: &str = "the clock shows another time at each replay";
const RANDOM: &str = "this draws another value at each replay";
const HASHED: &str = "the order of a hashed collection differs from process to process";
const ENTROPY: &str = "`random()`, recorded once and replayed";
const ORDERED: &str = "`BTreeMap` or `BTreeSet`, or `#[allow_nondeterminism(\"…\")]` on the method";
const STEP: &str = "`step(\"name\", move || async move { … }).await`, or a task of a service";

/// Rules in the order in which they are tried; the first that fits is reported.
const RULES: &[Rule] = &[
    start(
        &["tokio"],
        "workflow code does not run on tokio: a replay could not repeat what it does",
        "`timer`, `select!`, `join!` of `infinitic::prelude`, or `step(…)` for anything else",
    ),
    end(
        &["thread", "sleep"],
        "a thread that sleeps holds up all others",
        "`timer(duration).await`",
    ),
    end(
        &["thread", "spawn"],
        "a thread runs differently at each replay",
        STEP,
    ),
    start(
        &["std", "thread"],
        "a thread runs differently at each replay",
        STEP,
    ),
    start(
        &["std", "fs"],
        "files may have changed by the next replay",
        STEP,
    ),
    start(
        &["std", "net"],
        "the network answers differently at each replay",
        STEP,
    ),
    start(
        &["std", "process"],
        "a process would be started again at each replay",
        STEP,
    ),
    start(
        &["std", "env"],
        "another worker has another environment",
        "`inline(|| std::env::var(…))`, recorded once, or a field of the workflow's struct",
    ),
    start(&["rand"], RANDOM, ENTROPY),
    start(&["fastrand"], RANDOM, ENTROPY),
    anywhere(&["thread_rng"], RANDOM, ENTROPY),
    end(&["SystemTime", "now"], CLOCK, "`now()`"),
    end(
        &["Instant", "now"],
        CLOCK,
        "`now()`, and `timer(duration)` to wait",
    ),
    end(&["Utc", "now"], CLOCK, "`now()`"),
    end(&["Local", "now"], CLOCK, "`now()`"),
    end(&["Uuid", "new_v4"], RANDOM, "`uuid()`"),
    end(&["Uuid", "now_v7"], RANDOM, "`uuid()`"),
    anywhere(&["HashMap"], HASHED, ORDERED),
    anywhere(&["HashSet"], HASHED, ORDERED),
];

const ACCEPTED: &str = "code that does the same at each replay, or `inline(|| …)` around what is \
                        recorded once";

/// Macros that print: each replay would print again.
const PRINTING: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// Macros that write to a log, by their last name: those of `tracing` and `log`, and what is
/// modelled on them. One of the user's own by such a name is most likely one more of them.
const LOGGING: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// Others, of which the whole path must fit.
const LOGGING_PATHS: [&[&str]; 2] = [&["tracing", "event"], &["log", "log"]];

/// Functions whose closure runs outside of the replay: its result is recorded.
const RECORDING: [&str; 2] = ["inline", "step"];

/// Checks one body.
pub(crate) fn check(body: &Block, faults: &mut Faults) {
    Checker { faults }.visit_block(body);
}

struct Checker<'a> {
    faults: &'a mut Faults,
}

impl<'ast> Visit<'ast> for Checker<'_> {
    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(rule) = RULES.iter().find(|rule| fits(rule, &names)) {
            self.faults.at(path, rule.what, ACCEPTED, rule.write);
            return;
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if !is_recording(&call.func) {
            visit::visit_expr_call(self, call);
            return;
        }
        for argument in &call.args {
            if !matches!(argument, Expr::Closure(_)) {
                self.visit_expr(argument);
            }
        }
    }

    fn visit_macro(&mut self, found: &'ast Macro) {
        let names: Vec<String> = found
            .path
            .segments
            .iter()
            .map(|s| s.ident.to_string())
            .collect();
        let name = names.last().map(String::as_str).unwrap_or_default();
        if names.len() == 2 && names[0] == "tokio" && matches!(name, "select" | "join") {
            let what = format!("`tokio::{name}!` chooses differently at each replay");
            let write = format!("`{name}!` of `infinitic::prelude`");
            self.faults.at(&found.path, what, ACCEPTED, write);
        } else if PRINTING.contains(&name) {
            let what = format!("`{name}!` prints again at each replay");
            let write = format!("`inline(|| {name}!(…))`");
            self.faults.at(&found.path, what, ACCEPTED, write);
        } else if logs(&names) {
            let whole = names.join("::");
            let what = format!("`{whole}!` is logged again at each replay");
            let write = format!("`inline(|| {whole}!(…))`, which logs once, or log in a service");
            self.faults.at(&found.path, what, ACCEPTED, write);
        } else {
            self.visit_path(&found.path);
        }
        self.visit_macro_input(&found.tokens);
    }
}

impl Checker<'_> {
    /// Looks into a macro whose input reads as Rust: arms of a `select!`, expressions, statements.
    /// The input of any other macro is its own business.
    fn visit_macro_input(&mut self, tokens: &TokenStream) {
        if let Ok(select) = syn::parse2::<Select>(tokens.clone()) {
            for arm in &select.arms {
                self.visit_expr(&arm.future);
                self.visit_expr(&arm.handler);
            }
            if let Some(otherwise) = &select.otherwise {
                self.visit_expr(otherwise);
            }
            return;
        }
        let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone());
        if let Ok(list) = list {
            list.iter()
                .for_each(|expression| self.visit_expr(expression));
        } else if let Ok(statements) = Block::parse_within.parse2(tokens.clone()) {
            statements
                .iter()
                .for_each(|statement: &Stmt| self.visit_stmt(statement));
        }
    }
}

fn fits(rule: &Rule, names: &[String]) -> bool {
    let same = |window: &[String]| window.iter().eq(rule.path.iter());
    match rule.place {
        Where::Start => {
            names.len() > rule.path.len() && names.get(..rule.path.len()).is_some_and(same)
        }
        Where::End => {
            names.len() >= rule.path.len() && same(&names[names.len() - rule.path.len()..])
        }
        Where::Anywhere => names.windows(rule.path.len()).any(same),
    }
}

/// Whether a macro of that path writes to a log.
fn logs(names: &[String]) -> bool {
    let last = names.last().map(String::as_str).unwrap_or_default();
    LOGGING.contains(&last)
        || LOGGING_PATHS
            .iter()
            .any(|path| names.iter().eq(path.iter()))
}

fn is_recording(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let last = path
        .path
        .segments
        .last()
        .map(|segment| segment.ident.to_token_stream().to_string());
    last.is_some_and(|last| RECORDING.contains(&last.as_str()))
}
