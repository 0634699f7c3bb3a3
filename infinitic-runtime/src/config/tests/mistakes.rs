//! Golden texts of the main mistakes.

use super::super::{Config, ConfigError};
use super::{MEMORY, PULSAR, good, refused, yaml};

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    refused(
        "\
name: a/b
transport:
  pulsar:
    brokerUrl: pulsar://localhost:6650
    webServiceUrl: localhost:8080
    tenant: 'my tenant'
    policies:
      deduplicationEnabled: true
      retentionSizeMB: lots
services:
  - executor:
      concurrency: -1
      class: org.example.Payments
",
        "\
a.yml:1:7: `name` is `a/b`; it takes a name of 1 to 200 bytes without `/`, such as payments-1
a.yml:3:3: `transport.pulsar.namespace` is missing; it takes a name of letters, digits and \
`-_.`, such as infinitic
a.yml:4:5: unknown key `brokerUrl` in `transport.pulsar`; did you mean `brokerServiceUrl`?
a.yml:5:20: `transport.pulsar.webServiceUrl` is `localhost:8080`; it takes an address that begins \
with http:// or https://, such as http://localhost:8080
a.yml:6:13: `transport.pulsar.tenant` is the text \"my tenant\"; it takes a name of letters, \
digits \
and `-_.`, such as infinitic
a.yml:8:7: `transport.pulsar.policies.deduplicationEnabled` is not accepted: it is always off: \
receivers drop duplicates by message ids of their own, also after a restart; remove it
a.yml:9:24: `transport.pulsar.policies.retentionSizeMB` is `lots`; it takes a whole number of \
megabytes, or -1 for all, such as 1024
a.yml:11:5: `services[0].name` is missing; it takes a name of 1 to 200 bytes without `/`, such as \
Payments
a.yml:12:20: `services[0].executor.concurrency` is `-1`; it takes a whole number from 0 to 100000, \
such as 64
a.yml:13:7: `services[0].executor.class` is not accepted: code is not loaded by name: host it in \
the program, with `.service(value)` or `.workflow(factory)`",
    );
}

#[test]
fn the_error_lists_them() {
    let error = Config::parse_yaml("nmae: x\ntransport: { inMemory: {} }\nfoo: 1\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration cannot be used: 2 mistakes\n  \
         yaml:1:1: unknown key `nmae`; did you mean `name`?\n  \
         yaml:3:1: unknown key `foo`; it takes `name`, `transport`, `storage`, `worker`, \
         `services`, `workflows`, `logs`"
    );
    let one: ConfigError = Config::parse_toml("").unwrap_err();
    assert!(
        one.to_string()
            .starts_with("the configuration cannot be used: toml: `transport` is")
    );
}

#[test]
fn keys_in_the_wrong_place_are_sent_to_the_right_one() {
    refused(
        &format!("{MEMORY}retention: 7d\nmaximumPoolSize: 3\n"),
        "a.yml:2:1: unknown key `retention`; it belongs to `worker`\n\
         a.yml:3:1: unknown key `maximumPoolSize`; it belongs to `storage.mysql` or \
         `storage.postgres`",
    );
}

#[test]
fn wrong_types_are_told() {
    let with = |rest: &str| format!("{MEMORY}{rest}");
    refused(
        &with("worker: 5\n"),
        "a.yml:2:9: `worker` is a single value; it takes a mapping of keys: `concurrency`, \
         `shards`, `partitions`, `tasksAtHome`, `maxDeliveries`, `beat`, `lease`, `retention`, \
         `turnLimit`, `writeFormat`, \
         `warmInstances`, `cachedInstances`",
    );
    refused(
        &with("services: { name: A }\n"),
        "a.yml:2:11: `services` is a mapping; it takes a list of `{name, executor}`",
    );
    refused(
        &with("services: [A]\n"),
        "a.yml:2:12: `services[0]` is a single value; it takes a mapping of keys: `name`, \
         `executor`",
    );
    refused(
        &with("worker: { tasksAtHome: yes, shards: '2', concurrency: 1.5, partitions: [3] }\n"),
        "a.yml:2:24: `worker.tasksAtHome` is `yes`; it takes `true` or `false`\n\
         a.yml:2:37: `worker.shards` is the text \"2\"; it takes a whole number from 1 to 8, such \
         as 2 without quotes\n\
         a.yml:2:55: `worker.concurrency` is `1.5`; it takes a whole number from 1 to 100000, such \
         as 64\n\
         a.yml:2:72: `worker.partitions` is a list; it takes a whole number from 1 to 1024, such \
         as \
         32",
    );
    refused(
        &with("name:\n"),
        "a.yml:2:5: `name` has no value; it takes a name of 1 to 200 bytes without `/`, such as \
         payments-1",
    );
}

#[test]
fn times_have_units_where_keys_have_none() {
    let with = |rest: &str| format!("{MEMORY}{rest}");
    refused(
        &with("worker: { retention: 7, turnLimit: 0s }\n"),
        "a.yml:2:22: `worker.retention` is `7`; it takes a time with its unit, such as 7d, 12h, \
         90s or 1h30m\n\
         a.yml:2:36: `worker.turnLimit` is `0s`; it takes a time with its unit, such as 7d, 12h, \
         90s or 1h30m",
    );
    refused(
        "transport: { inMemory: {}, shutdownGracePeriodSeconds: 30s }\n",
        "a.yml:1:56: `transport.shutdownGracePeriodSeconds` is `30s`; it takes a number of \
         seconds, such as 30 or 0.5",
    );
}

#[test]
fn long_values_are_cut() {
    let faults = yaml(&format!("{MEMORY}name: /{}\n", "x".repeat(500))).unwrap_err();
    assert!(faults.contains("xxx…`; it takes"), "{faults}");
    assert!(faults.len() < 250, "{faults}");
}

#[test]
fn what_is_not_there_yet_says_so() {
    refused(
        &format!(
            "{PULSAR}eventListener: {{ class: X }}\nservices: [{{ name: A, tagEngine: {{}} }}]\n\
             workflows: [{{ name: W, executor: {{ checkMode: strict }} }}]\n"
        ),
        "a.yml:7:1: `eventListener` is not accepted: not available yet in this version: it \
         publishes no events; remove it\n\
         a.yml:8:23: `services[0].tagEngine` is not accepted: not available yet in this version: \
         tags are not addresses yet; remove it\n\
         a.yml:9:47: `workflows[0].executor.checkMode` is `strict`; it takes `simple`; `none` and \
         `strict` are not available yet in this version",
    );
}

#[test]
fn a_refused_key_of_the_jvm_version_names_its_new_place() {
    let text = PULSAR.replace("    tenant", "    authentication: { token: x }\n    tenant");
    refused(
        &text,
        "a.yml:5:5: `transport.pulsar.authentication` is not accepted: it stands under `client`; \
         write `client.authentication`",
    );
    good(PULSAR);
}
