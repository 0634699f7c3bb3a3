//! YAML and TOML, right and wrong.

use super::super::{Setting, TransportKind};
use super::{MEMORY, PULSAR, assert_same, good, refused, toml, yaml};

#[test]
fn both_formats_say_the_same() {
    let from_yaml = good(
        "name: w\ntransport:\n  embedded: { path: ./d, listen: '127.0.0.1:9070' }\n  \
         shutdownGracePeriodSeconds: 2.5\nservices:\n  - name: A\n    executor: { retry: none }\n",
    );
    let from_toml = toml(
        "name = 'w'\n[transport]\nshutdownGracePeriodSeconds = 2.5\n[transport.embedded]\npath = \
         './d'\nlisten = '127.0.0.1:9070'\n[[services]]\nname = 'A'\nexecutor.retry = 'none'\n",
    )
    .unwrap();
    let show = |config: &super::Config| format!("{config:?}").replace("a.toml", "a.yml");
    assert_eq!(show(&from_yaml), show(&from_toml));
    assert_eq!(from_yaml.services[0].retry, Setting::Off);
}

#[test]
fn anchors_are_followed() {
    let config = good(&format!(
        "{MEMORY}services:\n  - name: A\n    executor: &usual\n      concurrency: 3\n      \
         timeoutSeconds: 5\n  - name: B\n    executor: *usual\n  - name: C\n    executor: \
         {{ <<: *usual, concurrency: 9 }}\n"
    ));
    let numbers: Vec<_> = config.services.iter().map(|one| one.concurrency).collect();
    assert_eq!(numbers, [Some(3), Some(3), Some(9)]);
    assert_eq!(config.services[2].timeout, config.services[0].timeout);
}

#[test]
fn a_mistake_under_an_anchor_is_told_once() {
    refused(
        &format!(
            "{MEMORY}services:\n  - name: A\n    executor: &usual {{ class: X }}\n  - name: B\n    \
             executor: *usual\n"
        ),
        "a.yml:4:24: `services[0].executor.class` is not accepted: code is not loaded by name: \
         host it in the program, with `.service(value)` or `.workflow(factory)`\n\
         a.yml:4:24: `services[1].executor.class` is not accepted: code is not loaded by name: \
         host it in the program, with `.service(value)` or `.workflow(factory)`",
    );
}

#[test]
fn plain_numbers_are_texts_where_texts_are_wanted() {
    let config = good(&PULSAR.replace("tenant: infinitic", "tenant: 0123"));
    let TransportKind::Pulsar(pulsar) = config.transport.kind else {
        panic!("pulsar is chosen");
    };
    assert_eq!(pulsar.tenant, "0123");
    assert_same(
        toml("name = 12\ntransport.inMemory = {}\n"),
        "a.toml:1:8: `name` is `12`; it takes a name of 1 to 200 bytes without `/`, such as \
         payments-1 in quotes",
    );
}

#[test]
fn whole_numbers_of_toml_may_have_any_form() {
    let config = toml("transport.inMemory = {}\nworker.concurrency = 0x1_0\n").unwrap();
    assert_eq!(config.worker.concurrency, Some(16));
}

#[test]
fn broken_yaml_is_located() {
    let faults = yaml("transport:\n  inMemory: {\nname: x\n").unwrap_err();
    assert!(faults.starts_with("a.yml:3:"), "{faults}");
    assert!(faults.contains("this is not YAML: "), "{faults}");
    let faults = yaml("transport:\n\tinMemory: {}\n").unwrap_err();
    assert!(faults.starts_with("a.yml:2:"), "{faults}");
    assert!(faults.ends_with("; indent with spaces"), "{faults}");
}

#[test]
fn all_broken_lines_of_toml_are_located() {
    let faults = toml("name = \n[transport\nx = 1 2\n").unwrap_err();
    let lines: Vec<&str> = faults.lines().collect();
    assert!(lines.len() >= 2, "{faults}");
    assert!(
        lines[0].starts_with("a.toml:1:8: this is not TOML: "),
        "{faults}"
    );
}

#[test]
fn keys_that_stand_twice_are_told() {
    refused(
        &format!("name: a\n{MEMORY}name: b\n"),
        "a.yml:3:1: `name` stands here again, first in line 1",
    );
    let faults = toml("name = 'a'\nname = 'b'\ntransport.inMemory = {}\n").unwrap_err();
    assert!(
        faults.starts_with("a.toml:2:1: this is not TOML: duplicate key"),
        "{faults}"
    );
}

#[test]
fn odd_documents_are_refused() {
    refused(
        "- a\n- b\n",
        "a.yml:1:1: a configuration is a mapping of keys, such as `name: payments-1`",
    );
    refused(
        &format!("{MEMORY}---\n{MEMORY}"),
        "a.yml:2:1: a second document begins here; a source holds one",
    );
    refused(
        &format!("{MEMORY}? [a]\n: b\n"),
        "a.yml:2:3: a key is a word, such as `name:`",
    );
    refused(
        &format!("{MEMORY}name: !mine x\n"),
        "a.yml:2:7: the tag `!mine` means nothing here; remove it",
    );
    refused(
        &format!("{MEMORY}services: &all\n  - *all\n"),
        "a.yml:3:5: this alias stands within its own anchor",
    );
}

#[test]
fn an_empty_source_lacks_a_transport() {
    let missing = "`transport` is missing; it takes a mapping with one of `pulsar`, `embedded`, \
                   `inMemory`";
    refused("", &format!("a.yml: {missing}"));
    refused("# nothing\n", &format!("a.yml: {missing}"));
    assert_same(toml(""), &format!("a.toml: {missing}"));
}

/// Whatever is written, the answer is settings or mistakes with a place, never a panic.
#[test]
fn nothing_makes_it_panic() {
    let pieces = "transport|: |:|\n|\n  |- |{|}|[|]|,|&a|*a|<<|!t|>|'|\"|#|?|%|---|...|${|}|\
                  ${SET}|=|[[|\
                  \u{0}|é|\t|services|name|1|null|inMemory|\\|\r\n|~|%YAML 1.2|!!str|\u{feff}";
    let mut pieces: Vec<&str> = pieces.split('|').collect();
    pieces.push("|");
    let mut state: u64 = 7;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        for read in [yaml(&text), toml(&text)] {
            if let Err(faults) = read {
                assert!(faults.starts_with("a."), "{text:?}: {faults}");
            }
        }
    }
}

#[test]
fn attacks_by_size_end() {
    let deep = format!("name: {}{}\n", "[".repeat(40), "]".repeat(40));
    refused(&deep, "a.yml:1:38: nested more than 32 levels deep");
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let before = level - 1;
        let ten = vec![format!("*a{before}"); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{ten}]\n"));
    }
    let faults = yaml(&bomb).unwrap_err();
    assert!(
        faults.contains("aliases make this more than 100000 values"),
        "{faults}"
    );
}
