//! `${NAME}` and `${NAME:-default}` in values.
//!
//! They are replaced after the source was parsed: whatever a variable holds, it stays one value and
//! cannot add keys. What it held is not printed in errors, because it may be a secret.

use super::{Node, Scalar, Value};
use crate::config::error::Findings;

/// Answers what an environment variable holds; none when it is not set.
pub(in crate::config) type Environment = dyn Fn(&str) -> Option<String>;

/// Replaces the variables in every value of a tree. Keys are left as they are.
pub(in crate::config) fn expand(node: &mut Node, environment: &Environment, findings: &Findings) {
    match &mut node.value {
        Value::Null | Value::Broken => {}
        Value::List(nodes) => {
            for node in nodes {
                expand(node, environment, findings);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                expand(&mut entry.node, environment, findings);
            }
        }
        Value::Scalar(scalar) => {
            if let Err(message) = expand_scalar(scalar, environment) {
                findings.fault(node.at, message);
                node.value = Value::Broken;
            }
        }
    }
}

fn expand_scalar(scalar: &mut Scalar, environment: &Environment) -> Result<(), String> {
    let mut done = String::new();
    let mut rest = scalar.text.as_str();
    let mut variables = Vec::new();
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            // `$${` stands for `${`.
            done.push_str(&rest[..start]);
            done.push('{');
            rest = &rest[start + 2..];
            continue;
        }
        done.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        // Not the value itself, which may be a secret that happens to hold these characters.
        let end = inside.find('}').ok_or(
            "`${` has no `}`; write `${NAME}` for a variable, `$${` for the characters themselves",
        )?;
        let (name, held) = variable(&inside[..end], environment)?;
        done.push_str(&held);
        variables.push(name.to_owned());
        rest = &inside[end + 1..];
    }
    done.push_str(rest);
    scalar.text = done;
    scalar.variables = variables;
    Ok(())
}

fn variable<'t>(inside: &'t str, environment: &Environment) -> Result<(&'t str, String), String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!(
            "the default of `${{{name}}}` is a variable too; write a value, such as \
             `${{{name}:-value}}`"
        ));
    }
    if !is_name(name) {
        let word: String = name.chars().take_while(|c| is_part(*c)).collect();
        let word = if is_name(&word) { &word } else { "NAME" };
        return Err(format!(
            "a variable is `${{{word}}}`, or `${{{word}:-default}}` with a default; write `$${{` \
             for the characters `${{` themselves"
        ));
    }
    match (environment(name), default) {
        (Some(held), None) => Ok((name, held)),
        // As in a shell: an empty variable takes the default too.
        (Some(held), Some(_)) if !held.is_empty() => Ok((name, held)),
        (_, Some(default)) => Ok((name, default.to_owned())),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it, or give a default: \
             `${{{name}:-default}}`"
        )),
    }
}

fn is_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| !c.is_ascii_digit()) && text.chars().all(is_part)
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
