//! A source as a tree of values that know where they were written, whatever its format.
//!
//! Both formats become the same tree. What a value must be is not decided here: YAML does not say
//! whether `5432` is a number or a text, the reader of the key does.

mod merge;
mod toml;
mod variables;
mod yaml;

pub(super) use merge::over;
pub(super) use toml::parse as parse_toml;
pub(super) use variables::{Environment, expand};
pub(super) use yaml::parse as parse_yaml;

/// Levels of lists and mappings within each other. Ours has six; far beyond is an attack.
const DEPTH_MAX: usize = 32;

/// Where something was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Number of the source, from 0.
    pub(super) source: usize,
    /// Line, from 1; 0 means the source as a whole.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) column: u32,
}

impl At {
    /// A source as a whole.
    pub(super) const fn whole(source: usize) -> Self {
        Self {
            source,
            line: 0,
            column: 0,
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) at: At,
    /// The value.
    pub(super) value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing: `key:` or `key: null`. TOML has no such value.
    Null,
    /// Anything that is one word or text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order in which it was written.
    Map(Vec<Entry>),
    /// Something whose mistake was told already.
    Broken,
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key begins.
    pub(super) at: At,
    /// Its value.
    pub(super) node: Node,
}

/// One word or text.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// As it was written, without quotes and escapes.
    pub(super) text: String,
    /// What its format says about it.
    pub(super) form: Form,
    /// The variables that it came from; then the text is not printed.
    pub(super) variables: Vec<String>,
}

/// What a format says about a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Unquoted in YAML: whatever the reader wants.
    Plain,
    /// A text for sure.
    Text,
    /// A number, a boolean or a date of TOML.
    Typed,
}
