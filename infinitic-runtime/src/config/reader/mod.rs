//! Reads the keys of one section of a tree, and gathers what is wrong instead of stopping at it.
//!
//! Opening a section tells its unknown and refused keys. Each read then answers the value, or none
//! when the key is absent or wrong; what is wrong is told once, with what the key takes (see
//! [`super::keys`]).

mod duration;
mod nearest;
mod shown;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use self::shown::{Shown, Wanted, hint, shape};
use super::Setting;
use super::error::Findings;
use super::keys::{ALL, Keys, Taken};
use super::secret::Secret;
use super::tree::{At, Entry, Form, Node, Scalar, Value};

/// One section that is being read.
pub(super) struct Section<'t> {
    keys: &'static Keys,
    /// As errors name it, with numbers for the places in lists.
    path: String,
    at: At,
    entries: &'t [Entry],
    findings: &'t Findings,
}

impl<'t> Section<'t> {
    /// Takes a node as a section; none when it is no mapping. Nothing at all is an empty mapping.
    pub(super) fn open(
        node: &'t Node,
        keys: &'static Keys,
        path: String,
        findings: &'t Findings,
    ) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => &entries[..],
            Value::Null => &[],
            Value::Broken => return None,
            value @ (Value::Scalar(_) | Value::List(_)) => {
                let section = if path.is_empty() {
                    "the configuration".to_owned()
                } else {
                    format!("`{path}`")
                };
                let message = format!(
                    "{section} {}; it takes a mapping of keys: {}",
                    shape(value),
                    names(keys)
                );
                findings.fault(node.at, message);
                return None;
            }
        };
        let section = Self {
            keys,
            path,
            at: node.at,
            entries,
            findings,
        };
        section.check_keys();
        Some(section)
    }

    /// Where the section begins.
    pub(super) const fn at(&self) -> At {
        self.at
    }

    /// The path of one of its keys, as errors name it.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn check_keys(&self) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.keys.find(key).is_some() {
                continue;
            }
            let path = self.path_of(key);
            let message = match self.keys.refusal(key) {
                Some(reason) => format!("`{path}` is not accepted: {reason}"),
                None => self.unknown(key),
            };
            self.findings.fault(entry.at, message);
        }
    }

    fn unknown(&self, key: &str) -> String {
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", self.path)
        };
        let known = self.keys.taken.iter().map(|taken| taken.key);
        let advice = if let Some(near) = nearest::nearest(key, known) {
            format!("did you mean `{near}`?")
        } else if let Some(section) = elsewhere(key) {
            format!("it belongs to {section}")
        } else if self.keys.taken.is_empty() {
            "it takes no keys; remove it".to_owned()
        } else {
            format!("it takes {}", names(self.keys))
        };
        format!("unknown key `{key}`{place}; {advice}")
    }

    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&'t Entry> {
        debug_assert!(
            self.keys.find(key).is_some(),
            "`{key}` is listed in `{}`",
            self.keys.section
        );
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether a key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Whether a misspelt key means this one; that mistake is told already.
    fn is_meant(&self, key: &str) -> bool {
        let known = || self.keys.taken.iter().map(|taken| taken.key);
        let means = |entry: &Entry| nearest::nearest(&entry.key, known()) == Some(key);
        let is_unknown = |entry: &&Entry| self.keys.find(&entry.key).is_none();
        self.entries.iter().filter(is_unknown).any(means)
    }

    /// Tells a mistake at a key, or at the section when the key is absent.
    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.findings.fault(at, message);
    }

    /// Tells that a key is accepted and has no effect.
    pub(super) fn note(&self, key: &str, message: impl Into<String>) {
        let at = self.entry(key).map_or(self.at, |entry| entry.at);
        self.findings.note(at, message);
    }

    /// Tells that a key must be there, unless it is.
    pub(super) fn require(&self, key: &str) {
        if !self.has(key) && !self.is_meant(key) {
            let path = self.path_of(key);
            let takes = self.keys.find(key).map_or("a value", |taken| taken.takes);
            self.fault(key, format!("`{path}` is missing; it takes {takes}"));
        }
    }

    fn wrong(&self, entry: &Entry, value: &Value, wanted: Wanted) {
        let path = self.path_of(&entry.key);
        let Taken { takes, .. } = self.keys.find(&entry.key).expect("entries read are listed");
        let shown = Shown(value, wanted);
        let hint = hint(value, wanted);
        let message = format!("`{path}` {shown}; it takes {takes}{hint}");
        self.findings.fault(entry.node.at, message);
    }

    /// A value as `read` takes it from a scalar.
    fn value<T>(
        &self,
        key: &str,
        wanted: Wanted,
        read: impl FnOnce(&Scalar) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        let value = match &entry.node.value {
            Value::Scalar(scalar) => read(scalar),
            Value::Null | Value::List(_) | Value::Map(_) => None,
            Value::Broken => return None,
        };
        if value.is_none() {
            self.wrong(entry, &entry.node.value, wanted);
        }
        value
    }

    /// A text that is not blank.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.value(key, Wanted::Text, words)
    }

    /// A text that passes a check.
    pub(super) fn text_if(&self, key: &str, check: impl FnOnce(&str) -> bool) -> Option<String> {
        self.value(key, Wanted::Text, |scalar| {
            words(scalar).filter(|text| check(text))
        })
    }

    /// A text as it stands, for comparing it with another key: tells nothing when it is wrong.
    pub(super) fn quiet_text(&self, key: &str) -> Option<&'t str> {
        match &self.entry(key)?.node.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    /// Tells that a key is there and has no effect, which its writer would not expect.
    pub(super) fn without_effect(&self, key: &str, reason: &str) {
        if self.has(key) {
            let path = self.path_of(key);
            self.fault(key, format!("`{path}` has no effect: {reason}"));
        }
    }

    /// A text that is never printed.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.value(key, Wanted::Secret, words).map(Secret::new)
    }

    /// A text that is never printed and passes a check.
    pub(super) fn secret_if(&self, key: &str, check: impl FnOnce(&str) -> bool) -> Option<Secret> {
        let read = |scalar: &Scalar| words(scalar).filter(|text| check(text));
        self.value(key, Wanted::Secret, read).map(Secret::new)
    }

    /// A whole number within a range.
    pub(super) fn whole<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd,
    {
        self.value(key, Wanted::Number, |scalar| {
            let number = number(scalar)?.parse().ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A whole number within a range, or 0.
    pub(super) fn whole_or_zero(&self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        self.value(key, Wanted::Number, |scalar| {
            let number = number(scalar)?.parse().ok()?;
            (number == 0 || range.contains(&number)).then_some(number)
        })
    }

    /// A number within a range.
    pub(super) fn decimal(&self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.whole(key, range)
    }

    /// A number of seconds, 0 included.
    pub(super) fn seconds_or_zero(&self, key: &str) -> Option<Duration> {
        self.value(key, Wanted::Number, |scalar| {
            duration::seconds(number(scalar)?)
        })
    }

    /// A number of seconds above 0.
    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        self.value(key, Wanted::Number, |scalar| {
            duration::seconds(number(scalar)?).filter(|time| !time.is_zero())
        })
    }

    /// A whole number of milliseconds: a tenth of a second or more.
    pub(super) fn millis(&self, key: &str) -> Option<Duration> {
        let max = u64::try_from(duration::TIME_MAX.as_millis()).unwrap_or(u64::MAX);
        self.whole(key, 100..=max).map(Duration::from_millis)
    }

    /// A time with its unit.
    pub(super) fn time(&self, key: &str) -> Option<Duration> {
        self.value(key, Wanted::Other, |scalar| duration::parse(&scalar.text))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.value(key, Wanted::Number, |scalar| match number(scalar)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// One of some words; their case does not matter.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.value(key, Wanted::Other, |scalar| {
            let chosen = choices
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(&scalar.text));
            chosen.map(|(_, value)| *value)
        })
    }

    /// A list of texts. One text alone is not a list.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        let entry = self.entry(key)?;
        let Value::List(nodes) = &entry.node.value else {
            if !matches!(entry.node.value, Value::Broken) {
                self.wrong(entry, &entry.node.value, Wanted::Text);
            }
            return None;
        };
        let mut texts = Vec::new();
        for node in nodes {
            let text = match &node.value {
                Value::Scalar(scalar) => words(scalar),
                Value::Broken => continue,
                Value::Null | Value::List(_) | Value::Map(_) => None,
            };
            match text {
                Some(text) => texts.push(text),
                None => self.wrong(entry, &node.value, Wanted::Text),
            }
        }
        Some(texts)
    }

    /// The sections of a list, and where each begins.
    pub(super) fn list(&self, key: &str, keys: &'static Keys) -> Vec<Self> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        match &entry.node.value {
            Value::List(nodes) => {
                let path = |index| format!("{}[{index}]", self.path_of(key));
                let sections = nodes.iter().enumerate().filter_map(|(index, node)| {
                    Section::open(node, keys, path(index), self.findings)
                });
                sections.collect()
            }
            Value::Null | Value::Broken => Vec::new(),
            value @ (Value::Scalar(_) | Value::Map(_)) => {
                self.wrong(entry, value, Wanted::Other);
                Vec::new()
            }
        }
    }

    /// A section within this one.
    pub(super) fn section(&self, key: &str, keys: &'static Keys) -> Option<Self> {
        let entry = self.entry(key)?;
        let section = Section::open(&entry.node, keys, self.path_of(key), self.findings)?;
        // What is missing in it is told at its key.
        let at = entry.at;
        Some(Section { at, ..section })
    }

    /// A setting that may be switched off, by `none` or by nothing after the key.
    pub(super) fn setting<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Setting<T> {
        match self.entry(key).map(|entry| &entry.node.value) {
            None => Setting::Unset,
            Some(Value::Null) => Setting::Off,
            Some(Value::Scalar(scalar)) if scalar.text.eq_ignore_ascii_case("none") => Setting::Off,
            Some(_) => read(self).map_or(Setting::Unset, Setting::To),
        }
    }

    /// Which of some groups of keys is there: exactly one, or a mistake is told.
    pub(super) fn one_of(&self, groups: &[&[&'static str]]) -> Option<usize> {
        let first = |keys: &[&'static str]| keys.iter().copied().find(|key| self.has(key));
        let found: Vec<(usize, &str)> = groups
            .iter()
            .enumerate()
            .filter_map(|(index, keys)| first(keys).map(|key| (index, key)))
            .collect();
        let choices: Vec<String> = groups.iter().map(|keys| list(keys)).collect();
        let choices = choices.join("; or ");
        match found[..] {
            [(index, _)] => Some(index),
            [] if groups.concat().iter().any(|key| self.is_meant(key)) => None,
            [] => {
                let path = &self.path;
                let message = format!("`{path}` chooses nothing; write one of: {choices}");
                self.findings.fault(self.at, message);
                None
            }
            [(_, first), (_, second), ..] => {
                let message = format!(
                    "`{}` has both `{first}` and `{second}`; write one of: {choices}",
                    self.path
                );
                self.fault(second, message);
                None
            }
        }
    }
}

/// A scalar as a text.
fn words(scalar: &Scalar) -> Option<String> {
    let is_text = scalar.form != Form::Typed && !scalar.text.trim().is_empty();
    is_text.then(|| scalar.text.clone())
}

/// A scalar as something that is not a text; a variable may hold anything.
fn number(scalar: &Scalar) -> Option<&str> {
    let may_be = scalar.form != Form::Text || !scalar.variables.is_empty();
    may_be.then_some(scalar.text.as_str())
}

fn names(keys: &Keys) -> String {
    let names: Vec<&str> = keys.taken.iter().map(|taken| taken.key).collect();
    list(&names)
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The sections that know a key, when there are few.
fn elsewhere(key: &str) -> Option<String> {
    let sections: BTreeSet<&str> = ALL
        .iter()
        .filter(|keys| keys.find(key).is_some())
        .map(|keys| keys.section)
        .collect();
    let quoted: Vec<String> = sections
        .iter()
        .map(|section| match *section {
            "" => "the top level".to_owned(),
            section => format!("`{section}`"),
        })
        .collect();
    (1..=3).contains(&quoted.len()).then(|| quoted.join(" or "))
}
