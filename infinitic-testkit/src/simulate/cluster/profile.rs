//! What a seed makes of a cluster: its size, which faults there are, and how often.

use std::time::Duration;

use infinitic_runtime::backend::CommitId;
use infinitic_runtime::worker::{Replay, ShardSettings};

use super::super::profile::turn_retries;
use super::super::rng::Rng;

/// The mixture of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) clients: u64,
    pub(crate) parts: u16,
    /// Places for members; each is filled again when its member has died.
    pub(crate) slots: u64,
    /// How long faults happen, in milliseconds.
    pub(crate) span_ms: u64,
    pub(crate) beat_ms: u64,
    pub(crate) lease_ms: u64,
    pub(crate) settings: ShardSettings,
    /// How many attempts stay with the owner of their partition.
    pub(crate) at_home: u64,
    /// Members that host the workflow only, or the service only.
    pub(crate) specialists: u64,
    /// Inputs of one round, and messages of one reader, at most.
    pub(crate) round_max: usize,
    pub(crate) window: usize,
    /// How likely a member dies at each point of a round, and how often at most.
    pub(crate) crash_per_mille: u64,
    pub(crate) crashes_max: u32,
    /// How often one dies, stops in order or hangs at any moment.
    pub(crate) deaths: u64,
    pub(crate) stops: u64,
    pub(crate) freezes: u64,
    /// Calls of the store whose answer is lost, or that arrive late.
    pub(crate) store_faults: u64,
    pub(crate) store_outages: u64,
    pub(crate) broker_outages: u64,
    /// Broken connections of a member to the broker.
    pub(crate) breaks: u64,
    /// Messages that come twice, late, or (asks of clients) never; lost acknowledgements.
    pub(crate) copies: u64,
    pub(crate) delays: u64,
    pub(crate) losses: u64,
    /// Cancels, retries and the like at any moment, for each client.
    pub(crate) verbs: u64,
    /// Clients that retry what failed.
    pub(crate) retries: u64,
    pub(crate) with_traps: bool,
    /// How many ids are older or newer than they should be, by a client's wrong clock.
    pub(crate) skews: u64,
}

impl Profile {
    /// Draws the mixture.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng, chance: u64, high: u64| match rng.chance(chance) {
            true => rng.between(1, high),
            false => 0,
        };
        let count = |number: u64| usize::try_from(number).unwrap_or(1);
        let settings = ShardSettings {
            replay: match rng.chance(300) {
                true => Replay::Always,
                false => Replay::WhenEvicted,
            },
            warm_max: count(rng.pick(&[0, 1, 2, 10_000])),
            cached_max: count(rng.pick(&[0, 0, 1, 2, 20_000, 20_000])),
            retention: Duration::from_hours(rng.between(25, 200)),
            deliveries_max: u32::try_from(rng.between(3, 9)).unwrap_or(3),
            cautious: false,
            first_commit: CommitId::NONE,
            retry_turns: rng.chance(300).then(|| turn_retries(rng)),
            ..ShardSettings::default()
        };
        let lease_ms = rng.pick(&[2_000, 5_000]);
        Self {
            clients: rng.between(1, 4),
            parts: u16::try_from(rng.between(1, 4)).unwrap_or(1),
            slots: rng.between(1, 3),
            span_ms: rng.pick(&[5_000, 20_000, 60_000, 120_000]),
            beat_ms: rng.pick(&[300, 1_000]),
            lease_ms,
            settings,
            at_home: rng.pick(&[0, 500, 1_000]),
            specialists: rng.pick(&[0, 0, 500]),
            round_max: count(rng.pick(&[1, 3, 1_024])),
            window: count(rng.pick(&[1, 4, 256])),
            crash_per_mille: rng.pick(&[0, 2, 10, 40]),
            crashes_max: u32::try_from(rng.below(8)).unwrap_or(0),
            deaths: some(rng, 500, 5),
            stops: some(rng, 500, 4),
            freezes: some(rng, 400, 3),
            store_faults: some(rng, 350, 300),
            store_outages: some(rng, 200, 2),
            broker_outages: some(rng, 200, 2),
            breaks: some(rng, 300, 6),
            copies: some(rng, 500, 400),
            delays: some(rng, 400, 300),
            losses: some(rng, 300, 300),
            verbs: some(rng, 400, 3),
            retries: some(rng, 700, 900),
            with_traps: rng.chance(200),
            skews: some(rng, 300, 500),
        }
    }
}
