//! Measuring: times of single workflows, CPU and memory of the process, cost at the store.
//!
//! CPU and memory come from `/proc`, so they are there on Linux alone; elsewhere they are zero.

use std::fs;
use std::time::{Duration, Instant};

use infinitic::prelude::*;
use infinitic_runtime::backend::StoreCounters;
use serde::Serialize;

use crate::cluster::cost::{ClusterCost, ClusterReport, Watch};

/// Ticks of the kernel's accounting in a second, as user space sees them on every architecture.
const TICKS_A_SECOND: f64 = 100.0;

/// The line that a run prints. Figures that a workload does not have are left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) workload: &'static str,
    pub(crate) backend: &'static str,
    /// Workflows, or steps of a sequence.
    pub(crate) count: u64,
    pub(crate) in_flight: u64,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    /// User and system time of all threads, for one of `count`.
    pub(crate) cpu_ms: f64,
    pub(crate) fsyncs: f64,
    pub(crate) rows: f64,
    pub(crate) bytes: f64,
    /// Clusters: what broker and database had to do.
    #[serde(flatten)]
    pub(crate) cluster: Option<ClusterReport>,
    /// Peak of the process.
    pub(crate) rss_mb: f64,
    /// CPU seconds that other processes used meanwhile, in a second: what disturbed the run.
    pub(crate) others_cores: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tasks_away: Option<bool>,
    /// T: the worst, as its client saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late_ms: Option<f64>,
    /// T: the worst, as its code saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late_in_workflow_ms: Option<f64>,
    /// R: seconds from the start of the process until the first instance went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_s: Option<f64>,
    /// R: and the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_s: Option<f64>,
    /// R: and until a new workflow had run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready_s: Option<f64>,
    /// R: ended instances beside those that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<u64>,
}

/// Durations of single workflows.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<u32>);

impl Times {
    /// Adds one, in whole microseconds.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0
            .push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds those of another.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The values at 50, 95 and 99 of a hundred, and the largest, in milliseconds.
    pub(crate) fn summary(mut self) -> [f64; 4] {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let index = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0
                .get(index)
                .map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        [at(50), at(95), at(99), at(100)]
    }
}

/// What a run has cost up to a moment.
#[derive(Debug)]
pub(crate) struct Meter {
    source: Source,
    counters: StoreCounters,
    cluster: Option<ClusterCost>,
    cpu: f64,
    machine: f64,
    begin: Instant,
}

/// What a meter reads.
#[derive(Debug)]
pub(crate) enum Source {
    Store(StoreMeter),
    Cluster(Watch),
}

impl Source {
    fn counters(&self) -> StoreCounters {
        match self {
            Self::Store(store) => store.counters(),
            Self::Cluster(watch) => watch.meter.counters(),
        }
    }

    fn cluster(&self) -> Option<ClusterCost> {
        match self {
            Self::Store(_) => None,
            Self::Cluster(watch) => Some(watch.cost()),
        }
    }
}

impl Meter {
    /// Begins to measure.
    pub(crate) fn begin(source: Source) -> Self {
        Self {
            counters: source.counters(),
            cluster: source.cluster(),
            source,
            cpu: own_cpu_seconds(),
            machine: machine_cpu_seconds(),
            begin: Instant::now(),
        }
    }

    /// How long the run has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Ends the run: `count` is what everything is divided by.
    pub(crate) fn end(self, count: u64, times: Times) -> Report {
        let seconds = self.begin.elapsed().as_secs_f64();
        let after = self.source.cluster();
        let helpers = |cost: &Option<ClusterCost>| cost.map_or(0.0, |cost| cost.helpers);
        let helped = helpers(&after) - helpers(&self.cluster);
        let cpu = own_cpu_seconds() - self.cpu + helped;
        let counters = self.source.counters();
        let each = count.max(1) as f64;
        let cluster = self.cluster.as_ref().zip(after.as_ref());
        let cluster =
            cluster.map(|(before, after)| ClusterReport::between(before, after, cpu, each));
        let served = cluster.map_or(0.0, |it| it.servers_cpu_ms() * each / 1000.0);
        let others = (machine_cpu_seconds() - self.machine - cpu - served).max(0.0);
        let (before, after) = (self.counters, counters);
        let [p50_ms, p95_ms, p99_ms, _] = times.summary().map(|ms| rounded(ms, 3));
        let rows = rounded((after.rows - before.rows) as f64 / each, 3);
        let bytes = rounded((after.bytes - before.bytes) as f64 / each, 1);
        Report {
            count,
            seconds: rounded(seconds, 3),
            per_second: rounded(count as f64 / seconds, 1),
            p50_ms,
            p95_ms,
            p99_ms,
            cpu_ms: rounded(cpu * 1000.0 / each, 4),
            fsyncs: rounded((after.syncs - before.syncs) as f64 / each, 4),
            rows: cluster.map_or(rows, |cluster| cluster.rows),
            bytes: cluster.map_or(bytes, |cluster| cluster.bytes),
            cluster,
            rss_mb: rounded(peak_memory_mb(), 1),
            others_cores: rounded(others / seconds, 2),
            ..Report::default()
        }
    }
}

/// A number with so many digits behind the point.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// User and system time of this process, ended threads included.
fn own_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses, and may hold spaces.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_A_SECOND
}

/// Time that all processors of the machine have worked.
fn machine_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq
    let worked = [0, 1, 2, 5, 6].into_iter().filter_map(|i| fields.get(i));
    worked.sum::<f64>() / TICKS_A_SECOND
}

fn peak_memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
