//! Several sources, and files.

use std::fs;

use super::super::{Config, Sources, StorageConfig, TransportKind};
use super::{MEMORY, PULSAR, assert_same, read};

fn two(first: &str, second: &str) -> Result<Config, String> {
    read(Sources::new().yaml("a.yml", first).yaml("b.yml", second))
}

#[test]
fn the_earlier_source_wins_key_by_key() {
    let config = two(
        "name: first\nworker: { shards: 1 }\n",
        &format!("name: second\n{MEMORY}worker: {{ shards: 2, concurrency: 3 }}\n"),
    )
    .unwrap();
    assert_eq!(config.name.as_deref(), Some("first"));
    assert_eq!(config.worker.shards, Some(1));
    assert_eq!(config.worker.concurrency, Some(3));
    assert_eq!(config.sources, ["a.yml", "b.yml"]);
}

#[test]
fn lists_are_taken_whole() {
    let config = two(
        "services: [{ name: A }]\n",
        &format!("{MEMORY}services: [{{ name: B }}, {{ name: C }}]\n"),
    )
    .unwrap();
    let names: Vec<&str> = config.services.iter().map(|one| &one.name[..]).collect();
    assert_eq!(names, ["A"]);
}

#[test]
fn an_earlier_choice_drops_the_later_one() {
    let common = format!("{PULSAR}  shutdownGracePeriodSeconds: 7\n");
    let config = two("transport: { inMemory: }\n", &common).unwrap();
    assert!(matches!(config.transport.kind, TransportKind::InMemory));
    assert_eq!(config.transport.shutdown_grace.unwrap().as_secs(), 7);
    let mysql = "storage: { mysql: { host: h, username: u } }\n";
    let config = two(
        "storage: { redis: { host: r } }\n",
        &format!("{PULSAR}{mysql}"),
    )
    .unwrap();
    assert!(matches!(config.storage, Some(StorageConfig::Redis(_))));
}

#[test]
fn settings_of_the_same_choice_are_merged() {
    let config = two("transport: { pulsar: { tenant: mine } }\n", PULSAR).unwrap();
    let TransportKind::Pulsar(pulsar) = config.transport.kind else {
        panic!("pulsar is chosen");
    };
    assert_eq!((&pulsar.tenant[..], &pulsar.namespace[..]), ("mine", "dev"));
}

#[test]
fn an_empty_section_erases_nothing() {
    let config = two(
        "worker:\ntransport:\n",
        &format!("{MEMORY}worker: {{ shards: 2 }}\n"),
    )
    .unwrap();
    assert_eq!(config.worker.shards, Some(2));
}

#[test]
fn mistakes_of_all_sources_are_told_in_order() {
    assert_same(
        two(
            "nmae: x\nworker: { shards: 0 }\n",
            &format!("{MEMORY}worker: {{ shard: 1 }}\n"),
        ),
        "a.yml:1:1: unknown key `nmae`; did you mean `name`?\n\
         a.yml:2:19: `worker.shards` is `0`; it takes a whole number from 1 to 8, such as 2\n\
         b.yml:2:11: unknown key `shard` in `worker`; did you mean `shards`?",
    );
}

#[test]
fn formats_may_be_mixed() {
    let sources = Sources::new()
        .toml("a.toml", "[worker]\nshards = 4\n")
        .yaml("b.yml", MEMORY);
    assert_eq!(read(sources).unwrap().worker.shards, Some(4));
}

#[test]
fn files_are_read_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.toml"), "name = 'from-toml'\n").unwrap();
    fs::write(path("b.yaml"), format!("\u{feff}{MEMORY}")).unwrap();
    let config = Config::load([path("a.toml"), path("b.yaml")]).unwrap();
    assert_eq!(config.name.as_deref(), Some("from-toml"));
}

#[test]
fn files_that_cannot_be_read_are_all_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("c.yml"), [0xff, 0xfe]).unwrap();
    let sources = ["a.yml", "b.json", "c.yml"]
        .iter()
        .fold(Sources::new(), |sources, name| sources.file(path(name)));
    let faults = read(sources).unwrap_err();
    let folder = format!("{}/", folder.path().display());
    let faults = faults.replace(&folder, "");
    let lines: Vec<&str> = faults.lines().collect();
    assert!(lines[0].starts_with("a.yml: cannot be read: "), "{faults}");
    assert_eq!(
        lines[1],
        "b.json: neither YAML nor TOML; name it `.yml`, `.yaml` or `.toml`"
    );
    assert!(lines[2].starts_with("c.yml: cannot be read: "), "{faults}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn no_source_is_a_mistake() {
    assert_same(
        read(Sources::new()),
        "no source: there is nothing to read; name at least one file, such as infinitic.yml",
    );
}
