//! Where a configuration comes from, and the order of reading it: parse, merge, replace variables,
//! read the keys.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::Findings;
use super::keys::TOP;
use super::reader::Section;
use super::tree::{At, Environment, Node, Value, expand, over, parse_toml, parse_yaml};
use super::{Config, ConfigError};

/// Sources of a configuration, in order: what an earlier one says wins.
///
/// Mappings are merged key by key; lists and single values are taken as a whole. Where one kind of
/// several is chosen (`transport`, `storage`), an earlier choice wins with all its settings.
pub struct Sources {
    list: Vec<Source>,
    environment: Box<Environment>,
}

struct Source {
    name: String,
    /// None when it is to be read from the file of that name.
    text: Option<String>,
    format: Option<Format>,
}

#[derive(Clone, Copy)]
enum Format {
    Yaml,
    Toml,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the texts: they may hold passwords.
        let names = self.list.iter().map(|source| &source.name);
        f.debug_list().entries(names).finish()
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::new()
    }
}

impl Sources {
    /// No source yet; variables are those of this process.
    #[must_use]
    pub fn new() -> Self {
        Self {
            list: Vec::new(),
            environment: Box::new(|name| std::env::var(name).ok()),
        }
    }

    /// A file, read later. Its format follows from its name: `.yml`, `.yaml` or `.toml`.
    #[must_use]
    pub fn file(self, path: impl AsRef<Path>) -> Self {
        let path: PathBuf = path.as_ref().to_owned();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("yml" | "yaml") => Some(Format::Yaml),
            Some("toml") => Some(Format::Toml),
            _ => None,
        };
        self.source(path.display().to_string(), None, format)
    }

    /// A text of YAML, with a name for errors.
    #[must_use]
    pub fn yaml(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.source(name.into(), Some(text.into()), Some(Format::Yaml))
    }

    /// A text of TOML, with a name for errors.
    #[must_use]
    pub fn toml(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.source(name.into(), Some(text.into()), Some(Format::Toml))
    }

    /// Where variables come from, instead of this process.
    #[must_use]
    pub fn environment(mut self, environment: impl Fn(&str) -> Option<String> + 'static) -> Self {
        self.environment = Box::new(environment);
        self
    }

    fn source(mut self, name: String, text: Option<String>, format: Option<Format>) -> Self {
        self.list.push(Source { name, text, format });
        self
    }

    /// Reads everything.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong.
    pub fn read(self) -> Result<Config, ConfigError> {
        let (tree, findings) = self.tree()?;
        let config = Section::open(&tree, &TOP, String::new(), &findings)
            .map(|top| Config::read(&top, findings.sources.clone()));
        let notes = findings.finish()?;
        let config = config.expect("a tree that is no mapping is a mistake");
        Ok(Config { notes, ..config })
    }

    /// The merged tree, and what was found so far. Mistakes of syntax end it: what is missing
    /// cannot be told from what could not be read.
    pub(super) fn tree(self) -> Result<(Node, Findings), ConfigError> {
        if self.list.is_empty() {
            return Err(ConfigError::of(
                "no source",
                "there is nothing to read; name at least one file, such as infinitic.yml",
            ));
        }
        let names = self.list.iter().map(|source| source.name.clone());
        let findings = Findings::new(names.collect());
        let mut merged: Option<Node> = None;
        for (number, source) in self.list.into_iter().enumerate() {
            let Some(node) = source.parse(number, &findings) else {
                continue;
            };
            if !matches!(node.value, Value::Map(_) | Value::Null) {
                let message = "a configuration is a mapping of keys, such as `name: payments-1`";
                findings.unreadable(node.at, message);
            }
            merged = Some(match merged {
                Some(first) => over(first, node),
                None => node,
            });
        }
        if findings.is_unreadable() {
            findings.finish()?;
        }
        let mut tree = merged.expect("a source that is not unreadable has a tree");
        expand(&mut tree, &self.environment, &findings);
        Ok((tree, findings))
    }
}

impl Source {
    fn parse(self, number: usize, findings: &Findings) -> Option<Node> {
        let at = At::whole(number);
        let Some(format) = self.format else {
            let message = "neither YAML nor TOML; name it `.yml`, `.yaml` or `.toml`";
            findings.unreadable(at, message);
            return None;
        };
        let text = match self.text {
            Some(text) => text,
            None => match fs::read_to_string(&self.name) {
                Ok(text) => text,
                Err(error) => {
                    findings.unreadable(at, format!("cannot be read: {error}"));
                    return None;
                }
            },
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match format {
            Format::Yaml => parse_yaml(text, number, findings),
            Format::Toml => parse_toml(text, number, findings),
        }
    }
}
