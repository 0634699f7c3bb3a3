//! Keys of the top level, of `transport`, `embedded` and `logs`.

use super::{Keys, key};

const SECTION: &str = "a mapping of keys";

pub(in crate::config) const TOP: Keys = Keys {
    section: "",
    taken: &[
        key(
            "name",
            "a name of 1 to 200 bytes without `/`, such as payments-1",
            "drawn at the start",
            "Name of this worker or client, as failures, task contexts and logs tell it.",
        ),
        key(
            "transport",
            "a mapping with one of `pulsar`, `embedded`, `inMemory`",
            "must be given",
            "How messages travel, and with that what this program runs on.",
        ),
        key(
            "storage",
            "a mapping with one of `postgres`, `mysql`, `redis`, `inMemory`",
            "none",
            "Where workers on `pulsar` keep state. Clients need none.",
        ),
        key(
            "worker",
            SECTION,
            "as below",
            "Settings of a worker as a whole. Clients skip it, but for `partitions`.",
        ),
        key(
            "services",
            "a list of `{name, executor}`",
            "none",
            "Settings of hosted services; one that is not listed has the defaults.",
        ),
        key(
            "workflows",
            "a list of `{name, executor, stateEngine}`",
            "none",
            "Settings of hosted workflows; one that is not listed has the defaults.",
        ),
        key("logs", SECTION, "as below", "How events look in the log."),
    ],
    refused: &[
        (
            "eventListener",
            "not available yet in this version: it publishes no events; remove it",
        ),
        ("dashboard", "not available yet in this version; remove it"),
        (
            "cache",
            "states of open instances stay in memory by themselves; bound them with \
             `worker.cachedInstances`",
        ),
        (
            "serviceDefault",
            "it is gone from the JVM version too; write it for each service under `services`, or \
             `worker.concurrency` for all",
        ),
        (
            "workflowDefault",
            "it is gone from the JVM version too; write it for each workflow under `workflows`",
        ),
        (
            "workflowEngine",
            "it is gone from the JVM version too; a worker runs the engine of each workflow that \
             it hosts, see `workflows[].stateEngine`",
        ),
        (
            "shutdownGracePeriodInSeconds",
            "it has moved; write `transport.shutdownGracePeriodSeconds`",
        ),
        (
            "shutdownGracePeriodSeconds",
            "it stands under `transport`; write `transport.shutdownGracePeriodSeconds`",
        ),
        (
            "pulsar",
            "it stands under `transport`; write `transport.pulsar`",
        ),
    ],
};

pub(in crate::config) const TRANSPORT: Keys = Keys {
    section: "transport",
    taken: &[
        key(
            "pulsar",
            SECTION,
            "none",
            "An Apache Pulsar broker, with a database under `storage`: many machines.",
        ),
        key(
            "embedded",
            SECTION,
            "none",
            "A directory of this machine: one process, nothing to install.",
        ),
        key(
            "inMemory",
            "nothing, or `{}`",
            "none",
            "The memory of this process; nothing survives it. For tests.",
        ),
        key(
            "shutdownGracePeriodSeconds",
            "a number of seconds, such as 30 or 0.5",
            "10",
            "How long a stopping worker waits for running attempts; the rest is given out again.",
        ),
    ],
    refused: &[],
};

pub(in crate::config) const EMBEDDED: Keys = Keys {
    section: "transport.embedded",
    taken: &[
        key(
            "path",
            "the path of a directory, such as ./data",
            "must be given",
            "Where the worker keeps everything. Created when missing; owned by one process.",
        ),
        key(
            "listen",
            "an address and a port, such as 127.0.0.1:9070",
            "not listening",
            "Opens an endpoint for clients in other processes.",
        ),
        key(
            "token",
            "a text",
            "none",
            "What clients must show. Needed when `listen` is no loopback address. Never printed.",
        ),
        key(
            "connect",
            "an address, such as http://127.0.0.1:9070",
            "the address in `listen`",
            "Where clients in other processes find the worker.",
        ),
    ],
    refused: &[],
};

pub(in crate::config) const LOGS: Keys = Keys {
    section: "logs",
    taken: &[key(
        "beautify",
        "`true` or `false`",
        "true",
        "Indents events in the log. No effect yet: this version publishes no events.",
    )],
    refused: &[],
};
