//! Runs seeds of the simulation:
//! `simulate [--cluster] --seeds 2000 [--first-seed 0] [--verbose] [--plant BUG]`.
//!
//! Prints each failing seed with what was violated and the trace of its run, then a summary. Exits
//! with 1 when a seed failed, with 2 when it was called wrongly.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use infinitic_testkit::simulate::{self, Plant, Report, cluster};

const USAGE: &str = "usage: simulate [--cluster] [--seeds N] [--first-seed S] [--verbose]
                [--keep-going] [--plant BUG]
  --cluster        a cluster of several workers, instead of one worker
  --seeds N        how many seeds to run; 2000 unless told otherwise
  --first-seed S   the first of them; 0 unless told otherwise
  --verbose        print the trace of each seed, and what happened how often
  --keep-going     go on after a seed that failed
  --plant BUG      run with a planted bug, which must be found";

/// The bugs of one worker, by name.
const PLANTS: [(&str, Plant); 3] = [
    ("publish-before-commit", Plant::PublishBeforeCommit),
    ("deliver-twice", Plant::DeliverTwice),
    ("forget-sequences", Plant::ForgetSequences),
];

/// What is simulated.
#[derive(Clone, Copy)]
enum What {
    Worker(Option<Plant>),
    Cluster(Option<cluster::Plant>),
}

impl What {
    fn run(self, seed: u64, trace: bool) -> Report {
        match self {
            Self::Worker(plant) => simulate::run(seed, &simulate::Options { trace, plant }),
            Self::Cluster(plant) => cluster::run(seed, &cluster::Options { trace, plant }),
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Worker(_) => "",
            Self::Cluster(_) => " --cluster",
        }
    }
}

struct Args {
    seeds: u64,
    first: u64,
    verbose: bool,
    keep_going: bool,
    what: What,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            writeln!(io::stderr(), "{wrong}\n{USAGE}").ok();
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Whoever read the output has enough of it.
        Err(_) => ExitCode::from(2),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        seeds: 2000,
        first: 0,
        verbose: false,
        keep_going: false,
        what: What::Worker(None),
    };
    let (mut plant, mut is_cluster) = (None, false);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().unwrap_or_default();
            value
                .parse()
                .map_err(|_| format!("`{word}` wants a number, not `{value}`"))
        };
        match word.as_str() {
            "--seeds" => args.seeds = number()?,
            "--first-seed" => args.first = number()?,
            "--verbose" => args.verbose = true,
            "--keep-going" => args.keep_going = true,
            "--cluster" => is_cluster = true,
            "--plant" => plant = Some(words.next().unwrap_or_default()),
            other => return Err(format!("`{other}` is unknown")),
        }
    }
    args.what = match is_cluster {
        true => What::Cluster(planted(&cluster::Plant::ALL, plant)?),
        false => What::Worker(planted(&PLANTS, plant)?),
    };
    Ok(args)
}

fn planted<P: Copy>(all: &[(&str, P)], name: Option<String>) -> Result<Option<P>, String> {
    let Some(name) = name else {
        return Ok(None);
    };
    let found = all.iter().find(|(known, _)| *known == name);
    let names: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
    found.map(|(_, plant)| Some(*plant)).ok_or_else(|| {
        format!(
            "there is no bug `{name}` to plant; there are {}",
            names.join(", ")
        )
    })
}

/// Runs the seeds; answers how many failed.
fn run(args: &Args) -> io::Result<u64> {
    let mut out = io::stdout().lock();
    let began = Instant::now();
    let (mut passed, mut failed, mut events) = (0_u64, 0_u64, 0_u64);
    let mut points: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in args.first..args.first.saturating_add(args.seeds) {
        let report = args.what.run(seed, args.verbose);
        events += report.events;
        for (point, count) in &report.points {
            *points.entry(point).or_default() += count;
        }
        if report.violations.is_empty() {
            passed += 1;
            if args.verbose {
                print(&mut out, args.what, seed, &report)?;
            }
            continue;
        }
        failed += 1;
        // The same seed is the same run: now with everything that happens in it.
        let report = match args.verbose {
            true => report,
            false if args.keep_going => report,
            false => args.what.run(seed, true),
        };
        print(&mut out, args.what, seed, &report)?;
        if !args.keep_going {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if args.verbose || args.keep_going {
        for (point, count) in &points {
            writeln!(out, "{count:>10} × {point}")?;
        }
    }
    let each = (passed + failed) as f64 / seconds.max(0.001);
    writeln!(
        out,
        "{passed} passed, {failed} failed; {events} events in {seconds:.1} s, {each:.0} seeds/s"
    )?;
    Ok(failed)
}

fn print(out: &mut impl Write, what: What, seed: u64, report: &Report) -> io::Result<()> {
    for line in &report.trace {
        writeln!(out, "{line}")?;
    }
    let verdict = if report.violations.is_empty() {
        "passed"
    } else {
        "FAILED"
    };
    writeln!(out, "seed {seed} {verdict} (digest {:016x})", report.digest)?;
    for violation in &report.violations {
        writeln!(out, "  {violation}")?;
    }
    if !report.violations.is_empty() {
        writeln!(
            out,
            "  again: cargo run -p infinitic-testkit --bin simulate --{} --seeds 1 \
             --first-seed {seed}",
            what.flag()
        )?;
    }
    Ok(())
}
