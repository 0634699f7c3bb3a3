//! Finds and classifies the text files of the repository.

use std::cell::OnceCell;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// What a file is, as far as the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code of a crate.
    Code,
    /// Code of an example or a program: an entry point, which may read the clock.
    Entry,
    /// Code of tests.
    Test,
    /// Input or expected output of a test: exempt from nearly everything.
    Fixture,
    /// A manifest, a script or a page.
    Text,
}

/// One file.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its text.
    pub(crate) text: String,
    /// Parsed when a rule asks: most rules never do, and parsing is most of what they cost.
    syntax: OnceCell<(syn::File, TestLines)>,
}

impl Source {
    /// A file by its path and text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind: kind(path),
            text: text.to_owned(),
            syntax: OnceCell::new(),
        }
    }

    /// Whether this is Rust code, of any kind but fixtures.
    pub(crate) const fn is_code(&self) -> bool {
        matches!(self.kind, Kind::Code | Kind::Entry | Kind::Test)
    }

    /// Its syntax; nothing for a fixture or a text.
    pub(crate) fn syntax(&self) -> Option<&syn::File> {
        self.is_code().then(|| &self.parsed().0)
    }

    /// Whether a line of code is compiled for tests only.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        let inside = || {
            self.parsed()
                .1
                .found
                .iter()
                .any(|lines| lines.contains(&line))
        };
        self.kind == Kind::Test || inside()
    }

    fn parsed(&self) -> &(syn::File, TestLines) {
        self.syntax.get_or_init(|| {
            let syntax = match syn::parse_file(&self.text) {
                Ok(syntax) => syntax,
                Err(error) => panic!("{} does not parse: {error}", self.path),
            };
            let mut tests = TestLines::default();
            tests.visit_file(&syntax);
            (syntax, tests)
        })
    }
}

/// Root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that a rule may concern, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Source {
    let inside = path.strip_prefix(root()).expect("the walk starts there");
    let name = inside.to_str().expect("paths are UTF-8").replace('\\', "/");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    Source::new(&name, &text)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.expect("the folder stays readable").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("names are UTF-8");
        if path.is_dir() {
            // Built things, data of examples, and what belongs to tools.
            let skip = matches!(name, "target" | "data") || is_hidden(name) && name != ".ci";
            if !skip {
                walk(&path, found);
            }
        } else if is_text(&path, name) {
            found.push(path);
        }
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn is_text(path: &Path, name: &str) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "toml" | "md" | "sh")) || path.ends_with(".ci/run") || {
        name == "justfile"
    }
}

fn kind(path: &str) -> Kind {
    if path.contains("/ui/") || path.contains("/golden/") {
        return Kind::Fixture;
    }
    let Some(module) = path.strip_suffix(".rs") else {
        return Kind::Text;
    };
    let program = path.contains("/src/bin/") || path.ends_with("src/main.rs");
    if module.split('/').any(|part| part == "tests") {
        Kind::Test
    } else if path.starts_with("examples/") || path.contains("/examples/") || program {
        Kind::Entry
    } else {
        Kind::Code
    }
}

/// Collects the lines of items under `#[cfg(test)]` or `#[test]`.
#[derive(Default)]
struct TestLines {
    found: Vec<RangeInclusive<usize>>,
}

impl<'ast> Visit<'ast> for TestLines {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(module) => &module.attrs,
            syn::Item::Fn(function) => &function.attrs,
            syn::Item::Impl(implementation) => &implementation.attrs,
            syn::Item::Use(import) => &import.attrs,
            _ => return visit::visit_item(self, item),
        };
        if attributes.iter().any(is_for_tests) {
            let span = item.span();
            self.found.push(span.start().line..=span.end().line);
        } else {
            visit::visit_item(self, item);
        }
    }
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    if attribute.path().is_ident("cfg") {
        return attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|condition| condition == "test");
    }
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "test")
}

#[test]
fn files_are_told_apart() {
    assert_eq!(kind("infinitic-core/src/engine/mod.rs"), Kind::Code);
    assert_eq!(kind("infinitic-core/src/engine/tests/timer.rs"), Kind::Test);
    assert_eq!(kind("infinitic-macros/src/tests.rs"), Kind::Test);
    assert_eq!(kind("tests/suite/main.rs"), Kind::Test);
    assert_eq!(kind("examples/hello.rs"), Kind::Entry);
    assert_eq!(kind("tests/ui/service/fail/generic.rs"), Kind::Fixture);
    assert_eq!(kind("tests/golden/v1/entry.md"), Kind::Fixture);
    assert_eq!(kind("README.md"), Kind::Text);
}

#[test]
fn test_lines_are_found() {
    let text = "//! A file.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    let source = Source::new("infinitic-core/src/a.rs", text);
    assert!(!source.is_test(2));
    assert!(source.is_test(5));
}
