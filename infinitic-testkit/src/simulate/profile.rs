//! What a seed makes of the world: which faults there are, and how often.
//!
//! Each seed has its own mixture, with many faults switched off: a bug that needs much of one fault
//! is seldom found where all of them happen a little.

use std::collections::BTreeMap;
use std::time::Duration;

use infinitic_runtime::backend::CommitId;
use infinitic_runtime::service::{ExponentialRetry, TurnRetries};
use infinitic_runtime::worker::{Replay, ShardSettings};

use super::rng::Rng;

/// The mixture of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) clients: u64,
    /// How long faults happen, in milliseconds.
    pub(crate) span_ms: u64,
    pub(crate) shards_max: u64,
    pub(crate) settings: ShardSettings,
    /// How likely the process dies at each point of a commit, and how often at most.
    pub(crate) crash_per_mille: u64,
    pub(crate) crashes_max: u32,
    /// How often it dies, stops and loses a shard's thread at any moment.
    pub(crate) crashes: u64,
    pub(crate) stops: u64,
    pub(crate) replacements: u64,
    pub(crate) jumps: u64,
    pub(crate) write_faults: u64,
    pub(crate) read_faults: u64,
    /// Messages that come twice, late, or (asks of clients) never.
    pub(crate) copies: u64,
    pub(crate) delays: u64,
    pub(crate) losses: u64,
    /// Cancels, retries and the like at any moment, for each client.
    pub(crate) verbs: u64,
    /// Clients that retry what failed.
    pub(crate) retries: u64,
    /// How likely a process recovers cautiously although it need not.
    pub(crate) cautious: u64,
    pub(crate) with_traps: bool,
    /// How many ids are older than they should be, by a client's slow clock.
    pub(crate) skews: u64,
}

impl Profile {
    /// Draws the mixture.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, chance: u64, high: u64| match rng.chance(chance) {
            true => rng.between(1, high),
            false => 0,
        };
        let settings = ShardSettings {
            replay: match rng.chance(300) {
                true => Replay::Always,
                false => Replay::WhenEvicted,
            },
            warm_max: usize::try_from(rng.pick(&[0, 1, 2, 10_000])).unwrap_or(1),
            cached_max: usize::try_from(rng.pick(&[0, 1, 2, 20_000, 20_000])).unwrap_or(1),
            retention: Duration::from_hours(rng.between(25, 200)),
            deliveries_max: u32::try_from(rng.between(1, 5)).unwrap_or(1),
            cautious: false,
            first_commit: CommitId::NONE,
            retry_turns: rng.chance(400).then(|| turn_retries(rng)),
            retry_turns_of: BTreeMap::new(),
        };
        Self {
            clients: rng.between(1, 4),
            span_ms: rng.pick(&[2_000, 10_000, 60_000, 600_000]),
            shards_max: rng.between(1, 4),
            settings,
            crash_per_mille: rng.pick(&[0, 5, 20, 100]),
            crashes_max: u32::try_from(rng.below(7)).unwrap_or(0),
            crashes: some(rng, 500, 4),
            stops: some(rng, 300, 2),
            replacements: some(rng, 200, 2),
            jumps: some(rng, 300, 3),
            write_faults: some(rng, 250, 300),
            read_faults: some(rng, 150, 30),
            copies: some(rng, 500, 500),
            delays: some(rng, 400, 200),
            losses: some(rng, 300, 300),
            verbs: some(rng, 400, 3),
            retries: some(rng, 700, 900),
            cautious: some(rng, 200, 500),
            with_traps: rng.chance(250),
            skews: some(rng, 300, 500),
        }
    }
}

pub(super) fn turn_retries(rng: &mut Rng) -> TurnRetries {
    let retry = ExponentialRetry {
        max_attempts: u32::try_from(rng.between(2, 6)).unwrap_or(2),
        initial_ms: rng.pick(&[1, 500, 20_000]),
        ..ExponentialRetry::DEFAULT
    };
    retry.into()
}
