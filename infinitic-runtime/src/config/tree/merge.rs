//! Several sources become one: what an earlier one says wins.
//!
//! Mappings are merged key by key; a list or a value is taken as a whole. Where one of several
//! kinds is chosen (`transport`, `storage`), an earlier choice drops the later one's settings: they
//! are of something that is not used.

use super::{Node, Value};

/// Sections in which one of some keys is chosen.
const CHOICES: [(&str, &[&str]); 2] = [
    ("transport", &["pulsar", "inMemory", "embedded"]),
    ("storage", &["postgres", "mysql", "redis", "inMemory"]),
];

/// `first`, and what only `second` says.
pub(in crate::config) fn over(first: Node, second: Node) -> Node {
    merge(first, second, &[])
}

fn merge(first: Node, second: Node, choice: &[&str]) -> Node {
    let at = first.at;
    let value = match (first.value, second.value) {
        // A section without anything in it says nothing.
        (Value::Null, Value::Map(entries)) => {
            let at = second.at;
            let value = Value::Map(entries);
            return Node { at, value };
        }
        (Value::Map(mut entries), Value::Map(others)) => {
            let chosen = entries
                .iter()
                .any(|entry| choice.contains(&entry.key.as_str()));
            for other in others {
                match entries.iter_mut().find(|entry| entry.key == other.key) {
                    Some(entry) => {
                        let broken = Node {
                            at: entry.node.at,
                            value: Value::Broken,
                        };
                        let own = std::mem::replace(&mut entry.node, broken);
                        entry.node = merge(own, other.node, choices_of(&other.key));
                    }
                    None if chosen && choice.contains(&other.key.as_str()) => {}
                    None => entries.push(other),
                }
            }
            Value::Map(entries)
        }
        (value, _) => value,
    };
    Node { at, value }
}

fn choices_of(key: &str) -> &'static [&'static str] {
    let found = CHOICES.iter().find(|(section, _)| *section == key);
    found.map_or(&[], |(_, kinds)| kinds)
}
