//! Keys of `worker`, `services[]` and `workflows[]`.

use super::{Keys, Taken, key};

const SECTION: &str = "a mapping of keys";
const NAME: &str = "a name of 1 to 200 bytes without `/`, such as Payments";
const DURATION: &str = "a time with its unit, such as 7d, 12h, 90s or 1h30m";

const NO_CLASS: &str = "code is not loaded by name: host it in the program, with \
                        `.service(value)` or `.workflow(factory)`";
const ONE_LOOP: &str = "one loop does this together with all else of an instance; remove it";
const OWN_BATCHES: &str = "a worker takes what is there, and commits it at once, without waiting; \
                           remove it";
const NO_TAGS: &str = "not available yet in this version: tags are not addresses yet; remove it";
const ONE_STORAGE: &str = "a worker has one storage; write it under `storage`";

pub(in crate::config) const WORKER: Keys = Keys {
    section: "worker",
    taken: &[
        key(
            "concurrency",
            "a whole number from 1 to 100000, such as 64",
            "64",
            "Attempts that run at the same time, for each service without a number of its own.",
        ),
        key(
            "shards",
            "a whole number from 1 to 8, such as 2",
            "half the cores",
            "Threads over which the instances of `embedded` and `inMemory` are spread.",
        ),
        key(
            "partitions",
            "a whole number from 1 to 1024, such as 32",
            "32",
            "Parts of a workflow's instances, over which the workers of `pulsar` share them. Fixed \
             with the workflow's first start.",
        ),
        key(
            "tasksAtHome",
            "`true` or `false`",
            "true",
            "Whether a task starts in the worker that owns its instance when that hosts the \
             service. Off, each task travels through the broker.",
        ),
        key(
            "maxDeliveries",
            "a whole number from 1 to 1000, such as 5",
            "5",
            "How often an attempt is given out again after its process died, before the task fails \
             as crashed.",
        ),
        key(
            "beat",
            DURATION,
            "1s",
            "How often a worker on `pulsar` says that it is alive.",
        ),
        key(
            "lease",
            DURATION,
            "5s",
            "After how long a silent worker on `pulsar` counts as gone, and others take over. At \
             least twice `beat`.",
        ),
        key(
            "retention",
            DURATION,
            "7d",
            "How long records of ended instances are kept.",
        ),
        key(
            "turnLimit",
            DURATION,
            "60s",
            "Longest time that one turn of workflow code may take; beyond it the instance is \
             stopped.",
        ),
        key(
            "writeFormat",
            "a whole number from 1 to 2, such as 1",
            "1",
            "The format that the process writes: 2 adds checksums, once every worker and client \
             reads it.",
        ),
        key(
            "warmInstances",
            "a whole number from 1 to 10000000, such as 10000",
            "10000",
            "Live futures that stay in memory, for each shard.",
        ),
        key(
            "cachedInstances",
            "a whole number from 1 to 10000000, such as 20000",
            "20000",
            "States of open instances that stay in memory, for each shard.",
        ),
    ],
    refused: &[],
};

pub(in crate::config) const SERVICE: Keys = Keys {
    section: "services[]",
    taken: &[
        key("name", NAME, "must be given", "The service's name."),
        key(
            "executor",
            SECTION,
            "as below",
            "How its tasks run in this worker.",
        ),
    ],
    refused: &[
        ("tagEngine", NO_TAGS),
        ("class", NO_CLASS),
        (
            "concurrency",
            "it stands under `executor`; write `executor.concurrency`",
        ),
        (
            "retry",
            "it stands under `executor`; write `executor.retry`",
        ),
        (
            "timeoutSeconds",
            "it stands under `executor`; write `executor.timeoutSeconds`",
        ),
    ],
};

pub(in crate::config) const SERVICE_EXECUTOR: Keys = Keys {
    section: "services[].executor",
    taken: &[
        key(
            "concurrency",
            "a whole number from 0 to 100000, such as 64",
            "`worker.concurrency`",
            "Attempts that run at the same time; 0: this worker runs none.",
        ),
        key(
            "timeoutSeconds",
            "a number of seconds above 0, such as 30 or 0.5, or `none`",
            "as the code says",
            "Limit of one attempt; wins over the code's. `none` switches it off.",
        ),
        key(
            "retry",
            "a mapping of keys, or `none`",
            "as the code says",
            "When failed attempts are tried again; wins over the code's. `none` switches it off.",
        ),
    ],
    refused: &[
        ("class", NO_CLASS),
        ("factory", NO_CLASS),
        (
            "batch",
            "not available yet in this version: tasks have no batches; remove it",
        ),
        ("eventHandlerConcurrency", ONE_LOOP),
        ("retryHandlerConcurrency", ONE_LOOP),
    ],
};

/// What both kinds of retries take.
const RETRIES: &[Taken] = &[
    key(
        "minimumSeconds",
        "a number of seconds above 0, such as 30 or 0.5",
        "1",
        "Pause after the first failed attempt.",
    ),
    key(
        "maximumSeconds",
        "a number of seconds, at least `minimumSeconds`, such as 600",
        "1000 × `minimumSeconds`",
        "Longest pause, after the random part is added.",
    ),
    key(
        "backoffCoefficient",
        "a number from 1 to 1000, such as 2",
        "2",
        "Factor from one pause to the next.",
    ),
    key(
        "randomFactor",
        "a number from 0 to 1, such as 0.5",
        "0.5",
        "Share of a pause by which it is shortened or lengthened at random.",
    ),
    key(
        "maximumRetries",
        "a whole number from 0 to 1000000, such as 11",
        "11",
        "Retries after the first attempt.",
    ),
];

pub(in crate::config) const RETRY: Keys = Keys {
    section: "services[].executor.retry",
    taken: RETRIES,
    refused: &[(
        "ignoredExceptions",
        "which errors are not retried is said in the code: write `#[fatal]` on the variant of the \
         error",
    )],
};

pub(in crate::config) const TURN_RETRY: Keys = Keys {
    section: "workflows[].executor.retry",
    taken: RETRIES,
    refused: &[(
        "ignoredExceptions",
        "turns fail by faults of the code, not by its errors: those end the instance, with a \
         failure; remove it",
    )],
};

pub(in crate::config) const WORKFLOW: Keys = Keys {
    section: "workflows[]",
    taken: &[
        key("name", NAME, "must be given", "The workflow's name."),
        key(
            "executor",
            SECTION,
            "as below",
            "How its turns run in this worker.",
        ),
        key(
            "stateEngine",
            SECTION,
            "as below",
            "Whether this worker owns its instances.",
        ),
    ],
    refused: &[
        ("tagEngine", NO_TAGS),
        ("class", NO_CLASS),
        ("classes", NO_CLASS),
        (
            "concurrency",
            "it stands under `executor`; write `executor.concurrency`",
        ),
    ],
};

pub(in crate::config) const WORKFLOW_EXECUTOR: Keys = Keys {
    section: "workflows[].executor",
    taken: &[
        key(
            "concurrency",
            "a whole number from 0 to 100000, such as 1",
            "1",
            "0: this worker runs no turns of it. Any other number: it does; how many at a time \
             follows from `worker.shards`.",
        ),
        key(
            "retry",
            "a mapping of keys, or `none`",
            "as the program says, else `none`",
            "When a turn is tried again that cannot go on, as its code panics or no longer matches \
             the history. Without: the instance stands still until it is mended.",
        ),
        key(
            "checkMode",
            "`simple`; `none` and `strict` are not available yet in this version",
            "simple",
            "How code is compared with the history that it goes on from: kind and name of each \
             command.",
        ),
    ],
    refused: &[
        ("class", NO_CLASS),
        ("classes", NO_CLASS),
        (
            "timeoutSeconds",
            "turns of all workflows have one limit; write `worker.turnLimit`",
        ),
        ("batch", OWN_BATCHES),
        ("eventHandlerConcurrency", ONE_LOOP),
        ("retryHandlerConcurrency", ONE_LOOP),
    ],
};

pub(in crate::config) const STATE_ENGINE: Keys = Keys {
    section: "workflows[].stateEngine",
    taken: &[key(
        "concurrency",
        "a whole number from 0 to 100000, such as 1",
        "1",
        "0: this worker owns no instances of it. Any other number: it does; how many at a time \
         follows from `worker.shards`.",
    )],
    refused: &[
        ("storage", ONE_STORAGE),
        ("batch", OWN_BATCHES),
        ("timerHandlerConcurrency", ONE_LOOP),
        ("commandHandlerConcurrency", ONE_LOOP),
        ("eventHandlerConcurrency", ONE_LOOP),
        (
            "timerHandlerPastDueSeconds",
            "a timer fires however late it is; remove it",
        ),
    ],
};
