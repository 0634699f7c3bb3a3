//! How a shard works.

use std::collections::BTreeMap;
use std::time::Duration;

use infinitic_core::names::WorkflowName;

use crate::backend::CommitId;
use crate::service::TurnRetries;

/// When live futures are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replay {
    /// When memory is short: recent ones stay warm.
    #[default]
    WhenEvicted,
    /// After each turn: every outcome replays the whole history. For tests of determinism.
    Always,
}

/// How a shard works.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    /// When live futures are dropped.
    pub replay: Replay,
    /// How many live futures stay warm.
    pub warm_max: usize,
    /// How many states of open instances stay in memory.
    pub cached_max: usize,
    /// How long records of ended instances are kept.
    pub retention: Duration,
    /// Redeliveries after which an attempt counts as failed.
    pub deliveries_max: u32,
    /// Each turn and redelivery is written down before it runs.
    pub cautious: bool,
    /// What the identities of this process's commits are counted from: unique among all processes
    /// that write the store.
    pub first_commit: CommitId,
    /// Whether turns that cannot go on are tried again by themselves.
    pub retry_turns: Option<TurnRetries>,
    /// The same for single workflows; none: never.
    pub retry_turns_of: BTreeMap<WorkflowName, Option<TurnRetries>>,
}

impl Default for ShardSettings {
    fn default() -> Self {
        Self {
            replay: Replay::WhenEvicted,
            warm_max: 10_000,
            cached_max: 20_000,
            retention: Duration::from_hours(7 * 24),
            deliveries_max: 5,
            cautious: false,
            first_commit: CommitId::NONE,
            retry_turns: None,
            retry_turns_of: BTreeMap::new(),
        }
    }
}
