//! Deterministic simulation: whole lives of workers under a seed, then a judgement.
//!
//! The real engine, turns, shards, recovery and task policies run in one thread against a simulated
//! store, clock and network. A seed decides everything: what the workflows do (`program`), what
//! goes wrong (`profile`), and in which order things happen (`world`). The same seed is the same
//! run, to the last event.
//!
//! **Faults:** the process dies at each point of a commit (before, in and after the write, in the
//! middle of letting go what it sends) and at any other moment; writes fail, torn ones are there or
//! not; reads fail; messages come twice, late, in another order or (asks of clients) not at all;
//! clocks jump by up to five minutes; shards change their number; threads are given up; code is
//! broken and mended; people cancel and retry.
//!
//! **Checks:** nothing leaves before the store holds it; memory and store agree whenever nothing is
//! on its way; recovery would find every open instance; no acknowledged start is lost; every
//! instance ends; each outcome is delivered once; ids of tasks are stable; what is recorded, asked
//! and answered is what a plain sequential model says (`model`); nothing is left after the
//! retention time (`check`).

mod check;
pub mod cluster;
mod code;
mod image;
mod model;
mod plant;
mod process;
mod profile;
mod program;
mod recorded;
mod rng;
mod store;
mod watch;
mod world;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How seeds are run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Write down what happens.
    pub trace: bool,
    /// Run with this bug.
    pub plant: Option<Plant>,
}

/// A bug that is planted to prove that it is found. It lives in the simulation's driver; no worker
/// contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// What a round sends leaves before its commit is durable.
    PublishBeforeCommit,
    /// An outcome that arrives twice is delivered twice.
    DeliverTwice,
    /// The end of an attempt counts for the sequence that runs, whatever its own was.
    ForgetSequences,
}

/// What came of one seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What must not be; nothing when the seed passed.
    pub violations: Vec<String>,
    /// How often which fault struck.
    pub points: BTreeMap<&'static str, u64>,
    /// What happened, if it was to be written down.
    pub trace: Vec<String>,
    /// A number that depends on every event: the same for the same run.
    pub digest: u64,
    /// How many events there were.
    pub events: u64,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    catch_unwind(AssertUnwindSafe(|| world::World::new(seed, options).run()))
        .unwrap_or_else(panicked)
}

fn panicked(panic: Box<dyn Any + Send>) -> Report {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Report {
        violations: vec![format!("it panicked: {}", text.unwrap_or("without a text"))],
        ..Report::default()
    }
}
