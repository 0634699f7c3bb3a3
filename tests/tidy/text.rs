//! Rules on the lines of a file, whatever they mean.

use crate::Fault;
use crate::source::{Kind, Source};

/// Longest file outside of tests. Aim at 250: a reader should be able to hold a file in mind.
const FILE_LINES_MAX: usize = 800;

/// Longest line, as `rustfmt.toml` says; rustfmt leaves comments and text alone.
const LINE_CHARS_MAX: usize = 100;

/// Marks of unfinished work, cut in two so that this file does not say them.
const LEFTOVERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!"),
    concat!("#[ig", "nore"),
];

/// Each file of Rust says in its first line what it is for.
pub(crate) fn opening(source: &Source) -> Vec<Fault> {
    let first = source.text.lines().next().unwrap_or_default();
    if !source.is_code() || first.starts_with("//! ") {
        return Vec::new();
    }
    let rule = "the first line says what the file is for; write `//! …`";
    vec![Fault::new(source, 1, rule)]
}

/// No file grows beyond what a reader can hold.
pub(crate) fn file_length(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    let counts = matches!(source.kind, Kind::Code | Kind::Entry);
    if !counts || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let rule = format!(
        "{lines} lines; a file has at most {FILE_LINES_MAX}; move one of its concepts to a file \
         of its own"
    );
    vec![Fault::new(source, FILE_LINES_MAX + 1, rule)]
}

/// Lines fit in a window, and have no blanks at their end.
pub(crate) fn lines(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    if source.kind == Kind::Fixture {
        return faults;
    }
    for (index, line) in source.text.lines().enumerate() {
        let chars = line.chars().count();
        if source.is_code() && chars > LINE_CHARS_MAX {
            let rule = format!("{chars} characters; a line has at most {LINE_CHARS_MAX}");
            faults.push(Fault::new(source, index + 1, rule));
        }
        if line.ends_with([' ', '\t']) {
            faults.push(Fault::new(
                source,
                index + 1,
                "blanks at the end of the line",
            ));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        let last = source.text.lines().count();
        faults.push(Fault::new(
            source,
            last,
            "the file ends without a line feed",
        ));
    }
    faults
}

/// What is worth doing is done, or is an issue; tests run, or are deleted.
pub(crate) fn leftovers(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !source.is_code() {
        return faults;
    }
    for (index, line) in source.text.lines().enumerate() {
        for mark in LEFTOVERS.iter().filter(|mark| line.contains(**mark)) {
            let rule = format!("`{mark}` is left for later; do it now or file an issue");
            faults.push(Fault::new(source, index + 1, rule));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    //! Planted faults.

    use super::*;

    fn rules(check: fn(&Source) -> Vec<Fault>, text: &str) -> Vec<(usize, String)> {
        let source = Source::new("infinitic-core/src/a.rs", text);
        let faults = check(&source).into_iter();
        faults.map(|fault| (fault.line, fault.rule)).collect()
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        assert_eq!(rules(opening, "use std::fmt;\n").len(), 1);
        assert_eq!(rules(opening, "//! Prints.\n"), []);
    }

    #[test]
    fn a_long_file_is_found() {
        let text = "//! Long.\n".repeat(FILE_LINES_MAX);
        assert_eq!(rules(file_length, &text), []);
        assert_eq!(rules(file_length, &format!("{text}\n")).len(), 1);
    }

    #[test]
    fn long_and_untidy_lines_are_found() {
        let long = format!("//! {}é\n", "x".repeat(LINE_CHARS_MAX - 5));
        assert_eq!(rules(lines, &long), []);
        let longer = long.replace('é', "éé");
        assert_eq!(rules(lines, &longer)[0].0, 1);
        assert_eq!(rules(lines, "//! A.\n//! B. \n")[0].0, 2);
        assert_eq!(rules(lines, "//! A.").len(), 1);
    }

    #[test]
    fn leftovers_are_found() {
        let text = format!("//! A.\n// {}: later\n", LEFTOVERS[0]);
        assert_eq!(rules(leftovers, &text)[0].0, 2);
    }
}
