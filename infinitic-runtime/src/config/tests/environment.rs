//! `${NAME}` in values.

use super::{MEMORY, PULSAR, good, refused, toml};

#[track_caller]
fn name(value: &str) -> String {
    good(&format!("name: {value}\n{MEMORY}")).name.unwrap()
}

#[test]
fn variables_are_replaced() {
    assert_eq!(name("${SET}"), "held");
    assert_eq!(name("a-${SET}-${PORT}"), "a-held-5433");
    assert_eq!(name("\"${SET}\""), "held");
    assert_eq!(name("${UNSET:-other}"), "other");
    assert_eq!(name("${EMPTY:-other}"), "other");
    assert_eq!(name("${SET:-other}"), "held");
    assert_eq!(name("'a:${UNSET:-b:-c}'"), "a:b:-c");
}

#[test]
fn other_dollars_stay() {
    assert_eq!(name("a$b"), "a$b");
    assert_eq!(name("a$$b"), "a$$b");
    assert_eq!(name("$SET"), "$SET");
    assert_eq!(name("'$${SET}'"), "${SET}");
}

#[test]
fn a_variable_may_hold_a_number() {
    let storage = "storage: { postgres: { host: h, username: u, port: \"${PORT}\" } }\n";
    let config = good(&format!("{PULSAR}{storage}"));
    assert!(format!("{:?}", config.storage).contains("port: 5433"));
    let config = toml("transport.inMemory = {}\nworker.tasksAtHome = '${UNSET:-false}'\n");
    assert_eq!(config.unwrap().worker.tasks_at_home, Some(false));
}

#[test]
fn what_a_variable_holds_adds_no_keys() {
    let config = good("name: ${UNSET:-a, b}\ntransport: { inMemory: {} }\n");
    assert_eq!(config.name.as_deref(), Some("a, b"));
}

#[test]
fn a_variable_that_is_not_set_is_told() {
    refused(
        &format!("{MEMORY}name: ${{UNSET}}\nworker: {{ shards: \"${{OTHER}}\" }}\n"),
        "a.yml:2:7: the environment variable UNSET is not set; set it, or give a default: \
         `${UNSET:-default}`\n\
         a.yml:3:19: the environment variable OTHER is not set; set it, or give a default: \
         `${OTHER:-default}`",
    );
}

#[test]
fn other_spellings_are_told() {
    let form = "a variable is `${A}`, or `${A:-default}` with a default; write `$${` for the \
                characters `${` themselves";
    for wrong in ["${A:b}", "${A-b}", "${A b}"] {
        refused(
            &format!("{MEMORY}name: '{wrong}'\n"),
            &format!("a.yml:2:7: {form}"),
        );
    }
    refused(
        &format!("{MEMORY}name: '${{}}'\n"),
        &format!("a.yml:2:7: {}", form.replace("{A", "{NAME")),
    );
    refused(
        &format!("{MEMORY}name: '${{A'\n"),
        "a.yml:2:7: `${` has no `}`; write `${NAME}` for a variable, `$${` for the characters \
         themselves",
    );
    refused(
        &format!("{MEMORY}name: '${{A:-${{B}}}}'\n"),
        "a.yml:2:7: the default of `${A}` is a variable too; write a value, such as `${A:-value}`",
    );
}

#[test]
fn an_empty_variable_is_no_name() {
    refused(
        &format!("{MEMORY}name: ${{EMPTY}}\n"),
        "a.yml:2:7: `name` has a wrong value from `${EMPTY}`; it takes a name of 1 to 200 bytes \
         without `/`, such as payments-1",
    );
}
