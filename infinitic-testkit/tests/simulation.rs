//! The simulation passes, is the same each time, and finds bugs that are planted.

use infinitic_testkit::simulate::{Options, Plant, Report, run};

/// Seeds per test: some seconds without optimisation. The gate runs thousands, optimised.
const SEEDS: u64 = 300;

/// Seeds that found a bug once: an evicted future that woke its own run (0, 183), durable rows that
/// were replayed twice (189, 193), outcomes delivered twice (112, 122, 128), open instances that
/// recovery missed (74, 120, 124) and records never purged (72, 78, 185) after the number of
/// shards had changed, a purge that came early by a clock that was set back (52404), a reopened
/// instance that nobody listed (727673), a cut measured by code that stops (760041). What a seed
/// stands for changes with the generator, so they are no proof that a bug stays away.
const FOUND: [u64; 16] = [
    0, 72, 74, 78, 112, 120, 122, 124, 128, 183, 185, 189, 193, 52_404, 727_673, 760_041,
];

fn options(plant: Option<Plant>) -> Options {
    Options {
        trace: false,
        plant,
    }
}

fn assert_passes(seed: u64) {
    let report = run(seed, &options(None));
    assert!(
        report.violations.is_empty(),
        "seed {seed}: {:#?}\nagain: cargo run -p infinitic-testkit --bin simulate -- --seeds 1 \
         --first-seed {seed}",
        report.violations
    );
}

#[test]
fn seeds_pass() {
    (1_000_000..1_000_000 + SEEDS).for_each(assert_passes);
}

#[test]
fn seeds_that_found_something_pass() {
    FOUND.into_iter().for_each(assert_passes);
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    let traced = Options {
        trace: true,
        plant: None,
    };
    let run = move |seed| {
        let mut report = run(seed, &traced);
        // Where a panic happened is told with the thread's stack, if the environment asks for it.
        report
            .trace
            .retain(|line| !line.contains("backtrace: Some"));
        report
    };
    let first: Vec<Report> = (0..20).map(run.clone()).collect();
    // In another order, on another thread, after other runs.
    let again = std::thread::spawn(move || {
        let mut reports: Vec<Report> = (0..20).rev().map(run).collect();
        reports.reverse();
        reports
    });
    assert!(first == again.join().unwrap(), "a seed ran differently");
    assert!(first.iter().any(|report| report.events > 100));
    assert!(first.iter().any(|report| !report.points.is_empty()));
}

fn seeds_until_found(plant: Plant, seeds: u64) -> Option<u64> {
    (0..seeds).find(|seed| !run(*seed, &options(Some(plant))).violations.is_empty())
}

#[test]
fn a_worker_that_publishes_before_it_commits_is_found() {
    assert!(seeds_until_found(Plant::PublishBeforeCommit, 1_000).is_some());
}

#[test]
fn a_worker_that_delivers_an_outcome_twice_is_found() {
    assert!(seeds_until_found(Plant::DeliverTwice, 1_000).is_some());
}

#[test]
fn a_worker_that_takes_the_end_of_an_old_sequence_is_found() {
    // It needs a late copy of the end of just the attempt by which a run failed: one in a thousand
    // seeds has it. The search ends at the first.
    assert!(seeds_until_found(Plant::ForgetSequences, 10_000).is_some());
}
