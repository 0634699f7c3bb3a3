//! The cluster's simulation: several workers, one store, one broker, under a seed.
//!
//! Partitions, plan, packets, engine, turns and attempts are the real ones; the store is the one in
//! memory that every driver is measured against. The loops around a partition (`engine`, `writer`,
//! `desk` and `fleet` of the runtime's `cluster`) are written down here once more, because the real
//! ones are threads and tasks; they must do in the same order what those do.
//!
//! **Faults:** members die at each point of a round (before and after a write, before and in the
//! middle of what it sends, before the acknowledgements), at any moment, stop in order, join, hang
//! for longer than their lease and wake up; answers of the store are lost, its calls arrive late;
//! store and broker are away for a while; connections break; messages come twice, late, or in
//! another order between senders; clients' clocks are minutes off; memory is tiny.
//!
//! **Checks:** those of one worker (see the parent), and: a result that a client was told is in the
//! store when it leaves; ids of tasks are stable; when faults have stopped, everything ends, no
//! message stays without an acknowledgement, and after the retention time no row is left.

mod broker;
mod member;
mod profile;
mod store;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use infinitic_runtime::cluster::store::Claim;

use super::{Report, panicked};

/// How seeds of the cluster are run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Write down what happens.
    pub trace: bool,
    /// Run with this bug.
    pub plant: Option<Plant>,
}

/// A bug that is planted to prove that it is found. It lives in the simulation; no worker contains
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// What a round sends leaves before its commit is durable.
    PublishBeforeCommit,
    /// The store takes commits of any epoch, and rows after any row.
    NoCompare,
    /// The store takes commits of any epoch, and a row when its number is the next one.
    CompareCount,
    /// A message is acknowledged when it arrives.
    AcknowledgeBeforeCommit,
    /// A message is acknowledged before the broker has confirmed what was made of it: what a round
    /// sends, the end of an attempt for another member's partition.
    AcknowledgeBeforePublish,
    /// Whoever takes a partition over does not give out again what was open.
    NoCarryOver,
    /// The end of an attempt counts for the one that runs, whatever its own was.
    NoDedupe,
}

impl Plant {
    /// All of them, by the names that the command line knows.
    pub const ALL: [(&'static str, Self); 7] = [
        ("publish-before-commit", Self::PublishBeforeCommit),
        ("no-compare", Self::NoCompare),
        ("compare-count", Self::CompareCount),
        ("acknowledge-before-commit", Self::AcknowledgeBeforeCommit),
        ("acknowledge-before-publish", Self::AcknowledgeBeforePublish),
        ("no-carry-over", Self::NoCarryOver),
        ("no-dedupe", Self::NoDedupe),
    ];
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    catch_unwind(AssertUnwindSafe(|| world::World::new(seed, options).run()))
        .unwrap_or_else(panicked)
}
