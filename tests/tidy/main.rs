//! House rules that neither the compiler nor clippy checks, as tests.
//!
//! Each fault names its file, its line and the rule; each exception is listed beside its rule with
//! the reason, and an exception that nothing needs any more is a fault too. The rules themselves
//! are tested on planted faults at the end of each module. See [`text`] for rules on lines,
//! [`code`] for rules on syntax, [`tokens`] for words that code may not say, [`tree`] for
//! dependencies and manifests.

mod code;
mod source;
mod text;
mod tokens;
mod tree;

use std::fmt;

use source::Source;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    path: String,
    line: usize,
    rule: String,
}

impl Fault {
    fn new(source: &Source, line: usize, rule: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            rule: rule.into(),
        }
    }

    /// An exception that nothing needs any more.
    fn stale(path: &str, what: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: 1,
            rule: format!("`{what}` is listed as an exception but is not there; take it off"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Fails with all faults at once, one a line, so that one run shows everything there is to do.
#[track_caller]
fn refuse(faults: &[Fault]) {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} fault(s):\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// Applies one rule to every source file of the repository.
#[track_caller]
fn check(rule: impl Fn(&Source) -> Vec<Fault>) {
    let sources = source::all();
    assert!(sources.len() > 100, "the walk finds the whole repository");
    let faults: Vec<Fault> = sources.iter().flat_map(rule).collect();
    refuse(&faults);
}

#[test]
fn files_open_with_what_they_are_for() {
    check(text::opening);
}

#[test]
fn files_stay_short() {
    check(text::file_length);
}

#[test]
fn lines_fit_and_end_clean() {
    check(text::lines);
}

#[test]
fn nothing_is_left_for_later() {
    check(text::leftovers);
}

#[test]
fn functions_fit_a_screen() {
    let sources = source::all();
    refuse(&code::function_lengths(&sources));
}

#[test]
fn the_engine_has_no_wildcard_arm() {
    check(code::wildcard_arms);
}

#[test]
fn imports_come_in_three_blocks() {
    check(code::imports);
}

#[test]
fn clocks_and_chance_have_one_door() {
    let sources = source::all();
    refuse(&tokens::clocks(&sources));
}

#[test]
fn nothing_sleeps() {
    let sources = source::all();
    refuse(&tokens::sleeps(&sources));
}

#[test]
fn modules_keep_their_direction() {
    check(tokens::directions);
}

#[test]
fn the_core_depends_on_no_runtime_clock_or_chance() {
    tree::core_is_pure();
}

#[test]
fn default_features_stay_small_and_need_no_native_build() {
    tree::default_features_are_light();
}

#[test]
fn every_package_takes_the_workspace_lints() {
    tree::lints_are_inherited();
}
