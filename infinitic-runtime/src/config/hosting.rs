//! `worker`, `services`, `workflows` and `logs`: how what the program hosts is run.

use std::collections::BTreeMap;
use std::time::Duration;

use infinitic_core::codec;
use infinitic_core::names::{ServiceName, WorkflowName};

use super::Setting;
use super::keys::{
    Keys, LOGS, RETRY, SERVICE, SERVICE_EXECUTOR, STATE_ENGINE, TURN_RETRY, WORKER, WORKFLOW,
    WORKFLOW_EXECUTOR,
};
use super::reader::Section;
use crate::service::{ExponentialRetry, RetrySetting};

/// Most attempts or turns at the same time that a setting accepts.
const CONCURRENCY_MAX: usize = 100_000;

/// What a worker of a cluster does unless told otherwise, to compare a lone setting with.
const BEAT: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

/// `worker`: settings of a worker as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Attempts at the same time, for each service without a number of its own.
    pub concurrency: Option<usize>,
    /// Threads over which instances are spread.
    pub shards: Option<usize>,
    /// Parts of a workflow's instances, when workers share them.
    pub partitions: Option<u16>,
    /// Whether a task starts in the worker that owns its instance when that hosts the service.
    pub tasks_at_home: Option<bool>,
    /// How often an attempt is given out again after its process died. Also from
    /// `transport.pulsar.consumer.maxRedeliverCount`.
    pub max_deliveries: Option<u32>,
    /// How often a worker of a cluster says that it is alive.
    pub beat: Option<Duration>,
    /// After how long a silent worker counts as gone: at least twice `beat`, when both are given.
    pub lease: Option<Duration>,
    /// How long records of ended instances are kept.
    pub retention: Option<Duration>,
    /// Longest time of one turn.
    pub turn_limit: Option<Duration>,
    /// The format that the process writes.
    pub write_format: Option<u8>,
    /// Live futures that stay in memory, for each shard.
    pub warm_instances: Option<usize>,
    /// States of open instances that stay in memory, for each shard.
    pub cached_instances: Option<usize>,
}

/// `services[]`: settings of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// Its name: a valid one.
    pub name: String,
    /// Attempts at the same time; 0: this worker runs none.
    pub concurrency: Option<usize>,
    /// Limit of one attempt. Wins over what the code says.
    pub timeout: Setting<Duration>,
    /// Retries of failed attempts. Wins over what the code says.
    pub retry: Setting<ExponentialRetry>,
}

/// `workflows[]`: settings of one workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowConfig {
    /// Its name: a valid one.
    pub name: String,
    /// Whether this worker runs its turns: unless `executor.concurrency` is 0.
    pub runs_turns: bool,
    /// When a turn is tried again that cannot go on. Wins over what the program says.
    pub retry: Setting<ExponentialRetry>,
    /// Whether this worker owns instances of it: unless `stateEngine.concurrency` is 0.
    pub owns_instances: bool,
}

/// `logs`: how events look in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsConfig {
    /// Whether events are indented.
    pub beautify: Option<bool>,
}

impl From<Setting<ExponentialRetry>> for RetrySetting {
    fn from(setting: Setting<ExponentialRetry>) -> Self {
        match setting {
            Setting::Unset => Self::Unset,
            Setting::Off => Self::None,
            Setting::To(retry) => Self::Exponential(retry),
        }
    }
}

impl WorkerConfig {
    /// Takes over what the transport says under the JVM version's name.
    pub(super) fn take_redeliveries(&mut self, top: &Section<'_>, redeliveries: Option<u32>) {
        if self.max_deliveries.is_some() && redeliveries.is_some() {
            let message = "`worker.maxDeliveries` and \
                           `transport.pulsar.consumer.maxRedeliverCount` say the same; remove one \
                           of them";
            top.fault("worker", message);
        }
        self.max_deliveries = self.max_deliveries.or(redeliveries);
    }

    pub(super) fn read(top: &Section<'_>) -> Self {
        let Some(section) = top.section("worker", &WORKER) else {
            return Self::default();
        };
        let (beat, lease) = (section.time("beat"), section.time("lease"));
        if beat.unwrap_or(BEAT) * 2 > lease.unwrap_or(LEASE) {
            let message = format!(
                "a worker that is alive every {:?} may be taken for gone after {:?}; write a \
                 `lease` of at least twice `beat`",
                beat.unwrap_or(BEAT),
                lease.unwrap_or(LEASE)
            );
            section.fault(if lease.is_some() { "lease" } else { "beat" }, message);
        }
        Self {
            beat,
            lease,
            concurrency: section.whole("concurrency", 1..=CONCURRENCY_MAX),
            shards: section.whole("shards", 1..=8),
            partitions: section.whole("partitions", 1..=1_024),
            tasks_at_home: section.flag("tasksAtHome"),
            max_deliveries: section.whole("maxDeliveries", 1..=1_000),
            retention: section.time("retention"),
            turn_limit: section.time("turnLimit"),
            write_format: section.whole("writeFormat", codec::DEFAULT..=codec::NEWEST),
            warm_instances: section.whole("warmInstances", 1..=10_000_000),
            cached_instances: section.whole("cachedInstances", 1..=10_000_000),
        }
    }
}

impl ServiceConfig {
    pub(super) fn read(top: &Section<'_>) -> Vec<Self> {
        let is_name = |text: &str| ServiceName::parse(text).is_ok();
        let services = named(top, "services", &SERVICE, is_name);
        let read = services.into_iter().map(|(name, section)| {
            let mut service = Self {
                name,
                concurrency: None,
                timeout: Setting::Unset,
                retry: Setting::Unset,
            };
            if let Some(executor) = section.section("executor", &SERVICE_EXECUTOR) {
                service.concurrency = executor.whole("concurrency", 0..=CONCURRENCY_MAX);
                service.timeout = executor.setting("timeoutSeconds", |section| {
                    section.seconds("timeoutSeconds")
                });
                service.retry = executor.setting("retry", |section| read_retry(section, &RETRY));
            }
            service
        });
        read.collect()
    }
}

impl WorkflowConfig {
    pub(super) fn read(top: &Section<'_>) -> Vec<Self> {
        let is_name = |text: &str| WorkflowName::parse(text).is_ok();
        let workflows = named(top, "workflows", &WORKFLOW, is_name);
        let read = workflows.into_iter().map(|(name, section)| {
            let executor = section.section("executor", &WORKFLOW_EXECUTOR);
            if let Some(executor) = &executor {
                executor.choice("checkMode", &[("simple", ())]);
            }
            let retry = executor.as_ref().map(|executor| {
                executor.setting("retry", |section| read_retry(section, &TURN_RETRY))
            });
            let engine = section.section("stateEngine", &STATE_ENGINE);
            let runs_turns = executor.is_none_or(|executor| is_on(&executor));
            let owns_instances = engine.is_none_or(|engine| is_on(&engine));
            if !runs_turns && !owns_instances {
                let message = format!(
                    "`{}` runs neither turns nor the engine here; take it off the list and out of \
                     the program, or write a concurrency above 0",
                    section.path_of("name")
                );
                section.fault("name", message);
            }
            Self {
                name,
                runs_turns,
                retry: retry.unwrap_or_default(),
                owns_instances,
            }
        });
        read.collect()
    }
}

/// Whether a part of a workflow is hosted. Numbers above 1 are accepted and mean 1.
fn is_on(section: &Section<'_>) -> bool {
    let concurrency = section.whole("concurrency", 0..=CONCURRENCY_MAX);
    if concurrency.is_some_and(|number| number > 1) {
        let message = format!(
            "`{}` has no effect above 1: how many instances are handled at a time follows from \
             `worker.shards`",
            section.path_of("concurrency")
        );
        section.note("concurrency", message);
    }
    concurrency != Some(0)
}

impl LogsConfig {
    pub(super) fn read(top: &Section<'_>) -> Self {
        let Some(section) = top.section("logs", &LOGS) else {
            return Self::default();
        };
        let beautify = section.flag("beautify");
        if beautify.is_some() {
            let message = "`logs.beautify` has no effect yet: this version publishes no events";
            section.note("beautify", message);
        }
        Self { beautify }
    }
}

/// The sections of a list that have a valid name each, and each another one.
fn named<'t>(
    top: &Section<'t>,
    key: &str,
    keys: &'static Keys,
    is_name: impl Fn(&str) -> bool,
) -> Vec<(String, Section<'t>)> {
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for section in top.list(key, keys) {
        section.require("name");
        // Without a name too: its other keys are read for their mistakes.
        let name = section.text_if("name", &is_name);
        if let Some(name) = &name {
            if let Some(line) = lines.get(name) {
                let message = format!(
                    "`{name}` is listed again, first in line {line}; write its settings in one \
                    place"
                );
                section.fault("name", message);
            } else {
                lines.insert(name.clone(), section.at().line);
            }
        }
        found.push((name.unwrap_or_default(), section));
    }
    found
}

fn read_retry(executor: &Section<'_>, keys: &'static Keys) -> Option<ExponentialRetry> {
    let section = executor.section("retry", keys)?;
    let default = ExponentialRetry::DEFAULT;
    let initial_ms = section.seconds("minimumSeconds").map(millis);
    let max_ms = section.seconds("maximumSeconds").map(millis);
    let initial_ms = initial_ms.unwrap_or(default.initial_ms);
    if let Some(max_ms) = max_ms
        && max_ms < initial_ms
    {
        let message = format!(
            "`{}` is below `minimumSeconds`, which is {} s; the longest pause is at least the \
            first \
             one",
            section.path_of("maximumSeconds"),
            Duration::from_millis(initial_ms).as_secs_f64()
        );
        section.fault("maximumSeconds", message);
    }
    let retries: Option<u32> = section.whole("maximumRetries", 0..=1_000_000);
    Some(ExponentialRetry {
        max_attempts: retries.map_or(default.max_attempts, |retries| retries + 1),
        initial_ms,
        max_ms,
        jitter: section
            .decimal("randomFactor", 0.0..=1.0)
            .unwrap_or(default.jitter),
        coefficient: section
            .decimal("backoffCoefficient", 1.0..=1_000.0)
            .unwrap_or(default.coefficient),
    })
}

/// Whole milliseconds; parts of one count as one, so that no pause becomes none.
fn millis(time: Duration) -> u64 {
    let millis = time.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(u64::MAX)
}
