//! What a cluster costs: messages, round trips, commits, and the CPU of each kind of process.

use std::sync::Arc;

use infinitic::prelude::*;
use infinitic_runtime::cluster::transport::Transport;
use serde::{Deserialize, Serialize};

use super::helper::Helpers;
use super::processes::Process;
use crate::measure::rounded;

/// What our processes have told broker and database.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) round_trips: u64,
    pub(crate) commits: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    /// Of a worker.
    pub(crate) fn of(meter: &StoreMeter) -> Self {
        let (transport, store) = meter.cluster();
        Self {
            sent: transport.sent,
            round_trips: store.round_trips,
            commits: store.commits,
            rows: store.rows,
            bytes: store.bytes,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            round_trips: self.round_trips + other.round_trips,
            commits: self.commits + other.commits,
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// What a cluster has cost up to a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterCost {
    traffic: Traffic,
    /// CPU seconds of the other workers.
    pub(crate) helpers: f64,
    broker: Option<f64>,
    database: Option<f64>,
}

/// Measures a cluster.
pub(crate) struct Watch {
    pub(crate) meter: StoreMeter,
    pub(crate) client: Arc<dyn Transport>,
    pub(crate) helpers: Helpers,
    pub(crate) broker: Option<Process>,
    pub(crate) database: Option<Process>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// What it has cost by now.
    pub(crate) fn cost(&self) -> ClusterCost {
        let mut traffic = Traffic::of(&self.meter);
        traffic.sent += self.client.counters().sent;
        for helper in self.helpers.traffic() {
            traffic = traffic.plus(helper);
        }
        ClusterCost {
            traffic,
            helpers: self.helpers.cpu_seconds(),
            broker: self.broker.as_ref().map(Process::cpu_seconds),
            database: self.database.as_ref().map(Process::cpu_seconds),
        }
    }
}

/// What a cluster has cost for one workflow (S: one step).
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ClusterReport {
    /// Messages that our processes sent to the broker.
    messages: f64,
    /// Questions to the database and back.
    round_trips: f64,
    /// Transactions that wrote something.
    commits: f64,
    #[serde(skip)]
    pub(crate) rows: f64,
    #[serde(skip)]
    pub(crate) bytes: f64,
    /// Left out when the broker does not run on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_cpu_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_cpu_ms: Option<f64>,
    /// Workers, client, broker and database.
    total_cpu_ms: f64,
    /// W2 with one in flight: whether messages and commits stay within what is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) within_limits: Option<bool>,
}

/// Messages that a workflow of two tasks may cost when it is alone.
const MESSAGES_MAX: f64 = 6.0;
/// And commits.
const COMMITS_MAX: f64 = 3.0;
/// What the beats of a run may add to either.
const BEATS: f64 = 0.05;

impl ClusterReport {
    /// What was added between two moments, for each of `count`; `own` are CPU seconds of this
    /// process and of the other workers.
    pub(crate) fn between(before: &ClusterCost, after: &ClusterCost, own: f64, count: f64) -> Self {
        let (old, new) = (before.traffic, after.traffic);
        let each = |old: u64, new: u64| rounded((new - old) as f64 / count, 3);
        let cpu = |old: Option<f64>, new: Option<f64>| Some((new? - old?).max(0.0));
        let broker = cpu(before.broker, after.broker);
        let database = cpu(before.database, after.database);
        let millis = |seconds: f64| rounded(seconds * 1000.0 / count, 4);
        Self {
            messages: each(old.sent, new.sent),
            round_trips: each(old.round_trips, new.round_trips),
            commits: each(old.commits, new.commits),
            rows: each(old.rows, new.rows),
            bytes: each(old.bytes, new.bytes),
            broker_cpu_ms: broker.map(millis),
            database_cpu_ms: database.map(millis),
            total_cpu_ms: millis(own + broker.unwrap_or(0.0) + database.unwrap_or(0.0)),
            within_limits: None,
        }
    }

    /// CPU of broker and database.
    pub(crate) fn servers_cpu_ms(&self) -> f64 {
        self.broker_cpu_ms.unwrap_or(0.0) + self.database_cpu_ms.unwrap_or(0.0)
    }

    /// Says whether a workflow that is alone costs no more than it may.
    pub(crate) fn check_alone(&mut self) {
        let is_within =
            self.messages <= MESSAGES_MAX + BEATS && self.commits <= COMMITS_MAX + BEATS;
        self.within_limits = Some(is_within);
        if !is_within {
            eprintln!(
                "a workflow of two tasks cost {} messages and {} commits; {MESSAGES_MAX} and \
                 {COMMITS_MAX} are allowed",
                self.messages, self.commits
            );
        }
    }
}
