//! `worker`, `services`, `workflows`, `logs`.

use std::time::Duration;

use super::super::{Config, Setting};
use super::{MEMORY, good, refused};
use crate::service::{ExponentialRetry, RetrySetting};

fn with(rest: &str) -> Config {
    good(&format!("{MEMORY}{rest}"))
}

#[track_caller]
fn wrong(rest: &str, expected: &str) {
    refused(&format!("{MEMORY}{rest}"), expected);
}

#[test]
fn every_key_of_a_worker_is_read() {
    let worker = with(
        "worker: { concurrency: 1, shards: 2, partitions: 3, tasksAtHome: false, maxDeliveries: 4, \
         beat: 2s, lease: 4s, retention: 1d12h, turnLimit: 500ms, writeFormat: 2, \
         warmInstances: 5, cachedInstances: 6 }\n",
    )
    .worker;
    assert_eq!((worker.concurrency, worker.shards), (Some(1), Some(2)));
    assert_eq!(
        (worker.partitions, worker.tasks_at_home),
        (Some(3), Some(false))
    );
    assert_eq!(worker.max_deliveries, Some(4));
    assert_eq!(worker.beat, Some(Duration::from_secs(2)));
    assert_eq!(worker.lease, Some(Duration::from_secs(4)));
    assert_eq!(worker.retention, Some(Duration::from_secs(36 * 3_600)));
    assert_eq!(worker.turn_limit, Some(Duration::from_millis(500)));
    assert_eq!(worker.write_format, Some(2));
    assert_eq!(
        (worker.warm_instances, worker.cached_instances),
        (Some(5), Some(6))
    );
}

#[test]
fn a_lease_outlives_beats() {
    wrong(
        "worker: { lease: 1500ms }\n",
        "a.yml:2:11: a worker that is alive every 1s may be taken for gone after 1.5s; write a \
         `lease` of at least twice `beat`",
    );
    wrong(
        "worker: { beat: 3s }\n",
        "a.yml:2:11: a worker that is alive every 3s may be taken for gone after 5s; write a \
         `lease` of at least twice `beat`",
    );
}

#[test]
fn services_are_found_by_name() {
    let config = with("services:\n  - name: A\n  - name: B\n    executor: { concurrency: 0 }\n");
    assert_eq!(config.service("A").unwrap().concurrency, None);
    assert_eq!(config.service("B").unwrap().concurrency, Some(0));
    assert!(config.service("C").is_none());
}

fn timeout(value: &str) -> Setting<Duration> {
    let text = format!("services: [{{ name: A, executor: {{ timeoutSeconds: {value} }} }}]\n");
    with(&text).services[0].timeout
}

#[test]
fn a_timeout_is_set_or_switched_off() {
    assert_eq!(timeout("1.5"), Setting::To(Duration::from_millis(1_500)));
    assert_eq!(timeout("none"), Setting::Off);
    assert_eq!(timeout("null"), Setting::Off);
    assert_eq!(timeout(""), Setting::Off);
    assert_eq!(
        with("services: [{ name: A }]\n").services[0].timeout,
        Setting::Unset
    );
    wrong(
        "services: [{ name: A, executor: { timeoutSeconds: 0 } }]\n",
        "a.yml:2:51: `services[0].executor.timeoutSeconds` is `0`; it takes a number of seconds \
         above 0, such as 30 or 0.5, or `none`",
    );
}

fn retry(keys: &str) -> Setting<ExponentialRetry> {
    let text = format!("services: [{{ name: A, executor: {{ retry: {keys} }} }}]\n");
    with(&text).services[0].retry
}

#[test]
fn retries_are_set_or_switched_off() {
    assert_eq!(retry("{}"), Setting::To(ExponentialRetry::DEFAULT));
    assert_eq!(retry("none"), Setting::Off);
    assert!(matches!(retry("none").into(), RetrySetting::None));
    assert!(matches!(retry("{}").into(), RetrySetting::Exponential(_)));
    assert!(matches!(Setting::Unset.into(), RetrySetting::Unset));
    assert_eq!(retry("null"), Setting::Off);
    let all = "{ minimumSeconds: 0.5, maximumSeconds: 9, backoffCoefficient: 3, randomFactor: 0, \
               maximumRetries: 0 }";
    assert_eq!(
        retry(all),
        Setting::To(ExponentialRetry {
            max_attempts: 1,
            initial_ms: 500,
            max_ms: Some(9_000),
            jitter: 0.0,
            coefficient: 3.0,
        })
    );
}

#[test]
fn retries_are_checked() {
    wrong(
        "services:
  - name: A
    executor:
      retry:
        minimumSeconds: 10
        maximumSeconds: 5
        randomFactor: 1.5
        backoffCoefficient: 0.5
        maximumRetries: many
        ignoredExceptions: [java.lang.Exception]
",
        "a.yml:7:9: `services[0].executor.retry.maximumSeconds` is below `minimumSeconds`, which \
        is \
         10 s; the longest pause is at least the first one\n\
         a.yml:8:23: `services[0].executor.retry.randomFactor` is `1.5`; it takes a number from 0 \
         to 1, such as 0.5\n\
         a.yml:9:29: `services[0].executor.retry.backoffCoefficient` is `0.5`; it takes a number \
         from 1 to 1000, such as 2\n\
         a.yml:10:25: `services[0].executor.retry.maximumRetries` is `many`; it takes a whole \
         number from 0 to 1000000, such as 11\n\
         a.yml:11:9: `services[0].executor.retry.ignoredExceptions` is not accepted: which errors \
         are not retried is said in the code: write `#[fatal]` on the variant of the error",
    );
}

#[test]
fn a_name_is_listed_once() {
    wrong(
        "services:\n  - name: A\n  - name: A\nworkflows:\n  - name: A\n",
        "a.yml:4:5: `A` is listed again, first in line 3; write its settings in one place",
    );
}

#[test]
fn a_workflow_has_two_roles() {
    let config = with(
        "workflows:
  - name: Both
    executor: { checkMode: simple }
  - name: Turns
    stateEngine: { concurrency: 0 }
  - name: Engine
    executor: { concurrency: 0 }
    stateEngine:
",
    );
    let roles: Vec<(&str, bool, bool)> = config
        .workflows
        .iter()
        .map(|workflow| {
            (
                &workflow.name[..],
                workflow.runs_turns,
                workflow.owns_instances,
            )
        })
        .collect();
    assert_eq!(
        roles,
        [
            ("Both", true, true),
            ("Turns", true, false),
            ("Engine", false, true)
        ]
    );
    assert!(config.workflow("Turns").is_some());
    assert!(config.notes.is_empty());
    wrong(
        "workflows: [{ name: W, executor: { concurrency: 0 }, stateEngine: { concurrency: 0 } }]\n",
        "a.yml:2:15: `workflows[0].name` runs neither turns nor the engine here; take it off the \
         list and out of the program, or write a concurrency above 0",
    );
}

#[test]
fn numbers_without_effect_are_noted() {
    let config = with("workflows: [{ name: W, stateEngine: { concurrency: 8 } }]\n");
    let notes: Vec<String> = config.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "a.yml:2:39: `workflows[0].stateEngine.concurrency` has no effect above 1: how many \
          instances are handled at a time follows from `worker.shards`"
        ]
    );
}

#[test]
fn handlers_of_the_jvm_version_are_refused() {
    let reason = "one loop does this together with all else of an instance; remove it";
    wrong(
        "workflows:\n  - name: W\n    stateEngine:\n      timerHandlerConcurrency: 1\n      \
         commandHandlerConcurrency: 1\n      storage: {}\n      batch: {}\n",
        &format!(
            "a.yml:5:7: `workflows[0].stateEngine.timerHandlerConcurrency` is not accepted: \
             {reason}\n\
             a.yml:6:7: `workflows[0].stateEngine.commandHandlerConcurrency` is not accepted: \
             {reason}\n\
             a.yml:7:7: `workflows[0].stateEngine.storage` is not accepted: a worker has one \
             storage; write it under `storage`\n\
             a.yml:8:7: `workflows[0].stateEngine.batch` is not accepted: a worker takes what is \
             there, and commits it at once, without waiting; remove it"
        ),
    );
}
