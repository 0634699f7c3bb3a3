//! TOML to a tree.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{At, DEPTH_MAX, Entry, Form, Node, Scalar, Value};
use crate::config::error::Findings;

/// Reads a source; none when its syntax is wrong, which is then among the findings.
pub(in crate::config) fn parse(text: &str, source: usize, findings: &Findings) -> Option<Node> {
    let lines = Lines { text, source };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = match error.span() {
            Some(Range { start, .. }) => lines.at(start),
            None => At::whole(source),
        };
        findings.unreadable(at, format!("this is not TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        return None;
    }
    let at = At::whole(source);
    let value = lines.table(table.into_inner(), findings, 0);
    Some(Node { at, value })
}

struct Lines<'t> {
    text: &'t str,
    source: usize,
}

impl Lines<'_> {
    fn at(&self, offset: usize) -> At {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        At {
            source: self.source,
            line: short(line),
            column: short(column),
        }
    }

    fn table(&self, table: DeTable<'_>, findings: &Findings, depth: usize) -> Value {
        let entries = table.into_iter().map(|(key, value)| Entry {
            at: self.at(key.span().start),
            key: key.into_inner().into_owned(),
            node: self.node(value, findings, depth + 1),
        });
        Value::Map(entries.collect())
    }

    fn node(&self, value: Spanned<DeValue<'_>>, findings: &Findings, depth: usize) -> Node {
        let at = self.at(value.span().start);
        if depth > DEPTH_MAX {
            findings.fault(at, format!("nested more than {DEPTH_MAX} levels deep"));
            let value = Value::Broken;
            return Node { at, value };
        }
        let value = match value.into_inner() {
            DeValue::String(text) => scalar(text.into_owned(), Form::Text),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => scalar(number.to_string(), Form::Typed),
                    // Out of every range that a key accepts: the reader says so.
                    Err(_) => scalar(number.as_str().to_owned(), Form::Typed),
                }
            }
            DeValue::Float(number) => scalar(number.as_str().to_owned(), Form::Typed),
            DeValue::Boolean(flag) => scalar(flag.to_string(), Form::Typed),
            DeValue::Datetime(date) => scalar(date.to_string(), Form::Typed),
            DeValue::Array(items) => {
                let nodes = items.into_iter();
                Value::List(
                    nodes
                        .map(|item| self.node(item, findings, depth + 1))
                        .collect(),
                )
            }
            DeValue::Table(table) => self.table(table, findings, depth),
        };
        Node { at, value }
    }
}

fn scalar(text: String, form: Form) -> Value {
    Value::Scalar(Scalar {
        text,
        form,
        variables: Vec::new(),
    })
}
