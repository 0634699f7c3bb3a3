//! The example file, and the table of keys, against the list of keys.

use std::fs;
use std::path::PathBuf;

use super::super::keys::ALL;
use super::super::tree::{Node, Value};
use super::super::{Sources, TransportKind, reference};
use super::{read, variable};

fn root(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(name)
}

fn example() -> String {
    fs::read_to_string(root("infinitic.example.yml")).unwrap()
}

/// The example with its alternatives switched on: lines that begin with `#` and no blank, or two.
fn everything() -> String {
    let lines = example();
    let on = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with("  ") || rest.starts_with(|c: char| c != ' ') => rest,
        _ => line,
    });
    on.collect::<Vec<_>>().join("\n")
}

/// The example with some of its sections taken out.
fn without(sections: &[&str]) -> String {
    let mut kept = String::new();
    let mut skipping: Option<usize> = None;
    for line in everything().lines() {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if skipping.is_some_and(|outer| indent > outer) {
            continue;
        }
        let key = line.trim().split(':').next().unwrap();
        skipping = sections.contains(&key).then_some(indent);
        if skipping.is_none() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[track_caller]
fn accepted(sections: &[&str]) -> super::Config {
    let text = without(sections);
    let read = read(Sources::new().yaml("example", text.clone()));
    read.unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

#[test]
fn it_is_accepted_as_it_stands() {
    let sources = Sources::new().file(root("infinitic.example.yml"));
    let config = read(sources).unwrap();
    assert_eq!(config.name.as_deref(), Some("orders-1"));
    assert!(matches!(config.transport.kind, TransportKind::Embedded(_)));
    assert!(config.storage.is_none());
    let notes: Vec<&str> = config.notes.iter().map(|note| &note.message[..]).collect();
    assert_eq!(
        notes,
        ["`logs.beautify` has no effect yet: this version publishes no events"]
    );
}

#[test]
fn it_is_accepted_with_each_alternative() {
    let by_token = [
        "tokenFile",
        "username",
        "issuerUrl",
        "privateKey",
        "audience",
        "scope",
    ];
    let by_oauth = ["token", "tokenFile", "username"];
    let by_parts = ["url"];
    let by_url = [
        "host",
        "port",
        "username",
        "password",
        "database",
        "ssl",
        "sslRootCert",
    ];
    let cluster = |left_out: &[&[&str]]| {
        accepted(
            &[
                &["embedded", "inMemory", "maxDeliveries"],
                &left_out.concat()[..],
            ]
            .concat(),
        );
    };
    accepted(&["pulsar", "embedded", "storage"]);
    accepted(&["pulsar", "embedded", "postgres", "mysql", "redis"]);
    cluster(&[&["mysql", "redis"], &by_url, &by_token]);
    cluster(&[&["postgres", "redis"], &by_url, &by_oauth]);
    cluster(&[&["postgres", "mysql"], &by_url, &by_oauth]);
    // Without `authentication`: its user would be taken out with the database's.
    for others in [
        ["mysql", "redis"],
        ["postgres", "redis"],
        ["postgres", "mysql"],
    ] {
        cluster(&[&others, &by_parts, &["authentication"]]);
    }
    let by_password = [
        "token",
        "tokenFile",
        "issuerUrl",
        "privateKey",
        "audience",
        "scope",
    ];
    cluster(&[&["storage"], &by_password]);
}

#[test]
fn it_explains_every_key() {
    let sources = Sources::new().yaml("example", everything());
    let (tree, _) = sources.environment(variable).tree().unwrap();
    let mut found = Vec::new();
    collect(&tree, "", &mut found);
    found.sort();
    let mut known: Vec<String> = ALL
        .iter()
        .flat_map(|keys| keys.taken.iter().map(|taken| keys.path(taken.key)))
        .collect();
    known.sort();
    assert_eq!(found, known);
}

fn collect(node: &Node, path: &str, found: &mut Vec<String>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let path = if path.is_empty() {
                    entry.key.clone()
                } else {
                    format!("{path}.{}", entry.key)
                };
                collect(&entry.node, &path, found);
                found.push(path);
            }
        }
        Value::List(nodes) => {
            for node in nodes {
                collect(node, &format!("{path}[]"), found);
            }
        }
        Value::Null | Value::Scalar(_) | Value::Broken => {}
    }
}

#[test]
fn no_key_is_listed_twice() {
    for keys in ALL {
        let taken = keys.taken.iter().map(|taken| taken.key);
        let mut all: Vec<&str> = taken
            .chain(keys.refused.iter().map(|(key, _)| *key))
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "{}", keys.section);
    }
}

/// The page holds the table that is made from the list of keys. To renew it, run this test with
/// `INFINITIC_BLESS=1`.
#[test]
fn the_page_has_the_table() {
    const BEGIN: &str = "<!-- made from the list of keys: begin -->\n";
    const END: &str = "<!-- made from the list of keys: end -->\n";
    let path = root("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the first mark");
    let (table, after) = rest.split_once(END).expect("the page has the second mark");
    let made = format!("\n{}\n", reference());
    if std::env::var_os("INFINITIC_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        assert!(
            table == made,
            "the table in docs/configuration.md is not that of the list of keys; run this test \
             with INFINITIC_BLESS=1"
        );
    }
}
