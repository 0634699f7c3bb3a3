//! YAML to a tree.
//!
//! Anchors, aliases and merge keys (`<<`) are followed, up to a limit on what they grow to. One
//! source holds one document.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{At, DEPTH_MAX, Entry, Form, Node, Scalar, Value};
use crate::config::error::Findings;

/// Values that a source may grow to by aliases. A large configuration has some hundred.
const VALUES_MAX: usize = 100_000;

/// Reads a source; none when its syntax is wrong, which is then among the findings.
pub(in crate::config) fn parse(text: &str, source: usize, findings: &Findings) -> Option<Node> {
    let mut builder = Builder {
        source,
        findings,
        open: Vec::new(),
        root: None,
        anchors: BTreeMap::new(),
        values: 0,
    };
    for event in Parser::new_from_str(text) {
        let taken = event
            .map_err(|error| builder.syntax(&error))
            .and_then(|(event, span)| builder.take(event, span.start));
        if let Err((at, message)) = taken {
            findings.unreadable(at, message);
            return None;
        }
    }
    let empty = || Node {
        at: At::whole(source),
        value: Value::Null,
    };
    Some(builder.root.unwrap_or_else(empty))
}

/// A mistake after which nothing can be read.
type Stop = (At, String);

/// A list or mapping that is not closed yet.
struct Open {
    at: At,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The entries so far, and the key that waits for its value.
    Map(Vec<Entry>, Option<(String, At)>),
}

struct Builder<'f> {
    source: usize,
    findings: &'f Findings,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
}

impl Builder<'_> {
    fn at(&self, marker: Marker) -> At {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        At {
            source: self.source,
            line: short(marker.line()),
            column: short(marker.col()).saturating_add(1),
        }
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        let tabs = error.info().contains("tab");
        let hint = if tabs { "; indent with spaces" } else { "" };
        let message = format!("this is not YAML: {}{hint}", error.info());
        (self.at(*error.marker()), message)
    }

    fn take(&mut self, event: Event<'_>, marker: Marker) -> Result<(), Stop> {
        let at = self.at(marker);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err((
                at,
                "a second document begins here; a source holds one".to_owned(),
            )),
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), at);
                self.complete(Node { at, value }, anchor)
            }
            Event::Alias(anchor) => {
                let mut node =
                    self.anchors.get(&anchor).cloned().ok_or_else(|| {
                        (at, "this alias stands within its own anchor".to_owned())
                    })?;
                self.values += size(&node);
                // Mistakes in it are told where it was written; its own place is here.
                if matches!(node.value, Value::Scalar(_) | Value::Null) {
                    node.at = at;
                }
                self.complete(node, 0)
            }
            Event::SequenceStart(anchor, _) => self.begin(at, anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(at, anchor, Items::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: At) -> Value {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
        {
            let message = format!("the tag `{tag}` means nothing here; remove it");
            self.findings.fault(at, message);
            return Value::Broken;
        }
        let is_text = tag.is_some_and(|tag| tag.suffix == "str");
        let plain = style == ScalarStyle::Plain && !is_text;
        if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Value::Null;
        }
        Value::Scalar(Scalar {
            text: text.to_owned(),
            form: if plain { Form::Plain } else { Form::Text },
            variables: Vec::new(),
        })
    }

    fn begin(&mut self, at: At, anchor: usize, items: Items) -> Result<(), Stop> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return Err((at, message));
        }
        self.open.push(Open { at, anchor, items });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Open { at, anchor, items } = self.open.pop().expect("the parser balances events");
        let value = match items {
            Items::List(items) => Value::List(items),
            Items::Map(entries, _) => Value::Map(self.merge_keys(entries)),
        };
        self.complete(Node { at, value }, anchor)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.values += 1;
        if self.values > VALUES_MAX {
            let message = format!("aliases make this more than {VALUES_MAX} values");
            return Err((node.at, message));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map(entries, waiting) => match waiting.take() {
                None => *waiting = Some((key(&node)?, node.at)),
                Some((key, at)) => match entries.iter().find(|entry| entry.key == key) {
                    Some(first) => {
                        let line = first.at.line;
                        let message = format!("`{key}` stands here again, first in line {line}");
                        self.findings.fault(at, message);
                    }
                    None => entries.push(Entry { key, at, node }),
                },
            },
        }
        Ok(())
    }

    /// Puts the entries of `<<: *anchor` behind the mapping's own.
    fn merge_keys(&self, entries: Vec<Entry>) -> Vec<Entry> {
        let (merged, mut own): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.key == "<<");
        let parts = merged.into_iter().flat_map(|entry| match entry.node.value {
            Value::List(nodes) => nodes,
            _ => vec![entry.node],
        });
        for part in parts {
            let Value::Map(entries) = part.value else {
                let message = "`<<` takes a mapping, such as `*anchor`";
                self.findings.fault(part.at, message);
                continue;
            };
            for entry in entries {
                if own.iter().all(|known| known.key != entry.key) {
                    own.push(entry);
                }
            }
        }
        own
    }
}

fn key(node: &Node) -> Result<String, Stop> {
    match &node.value {
        Value::Scalar(scalar) => Ok(scalar.text.clone()),
        _ => Err((node.at, "a key is a word, such as `name:`".to_owned())),
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(nodes) => 1 + nodes.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.node)).sum::<usize>(),
        Value::Null | Value::Scalar(_) | Value::Broken => 1,
    }
}
