//! The main job of this project: a shop's orders, fulfilled by durable workflows.
//!
//! `cargo run --release --example orders` starts a workflow for each order of a file: reserve the
//! goods, charge the card (the bank is flaky and is asked again; some cards are declined, and the
//! goods go back), wait for the picking, ship. Kill it with whatever you like and start it again:
//! it goes on. `cargo run --release --example orders -- audit` proves that nothing is lost or
//! doubled. With `--config cluster.yml` it only starts the orders and waits, and workers in other
//! processes (`orders worker --config cluster.yml`) do the rest, over Pulsar and a database.
//!
//! Read `fulfil.rs` first, then `services.rs`; how a program starts workflows exactly once is in
//! `notebook.rs` and `run.rs`, what is different in a cluster in `cluster.rs`.

#![allow(
    unreachable_pub,
    reason = "a program's modules are easier to read with a plain `pub`"
)]

mod args;
mod audit;
mod cluster;
mod fulfil;
mod input;
mod ledger;
mod notebook;
mod order;
mod progress;
mod run;
mod sample;
mod services;

use std::io::{self, Write};
use std::process::ExitCode;

use infinitic::prelude::*;

use args::{Action, Args};
use order::Order;

/// Something failed, or the audit found something.
const FAILED: u8 = 1;
/// The arguments or the input are wrong; nothing was started.
const REFUSED: u8 = 2;
/// Stopped before all orders had ended.
const STOPPED: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    log_warnings();
    let code = match args::parse(std::env::args().skip(1)) {
        Ok(args) => act(args).await,
        Err(wrong) => {
            complain(&format!("{wrong}\n\n{}", args::USAGE));
            Ok(REFUSED)
        }
    };
    ExitCode::from(code.unwrap_or_else(|error| {
        complain(&format!("{error:?}"));
        FAILED
    }))
}

/// Shows what the worker has to say; `RUST_LOG=info,pulsar=off` shows more. Pulsar's library calls
/// errors what the layer above it mends.
fn log_warnings() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,pulsar=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}

async fn act(args: Args) -> Result<u8> {
    match args.action {
        Action::Help => {
            io::stdout().write_all(args::USAGE.as_bytes())?;
            Ok(0)
        }
        Action::MakeSample(count) => {
            sample::write(count, &mut io::BufWriter::new(io::stdout().lock()))?;
            Ok(0)
        }
        Action::Worker => {
            let Some(config) = &args.config else {
                return Ok(REFUSED);
            };
            cluster::work(config, &args.data).await?;
            Ok(0)
        }
        Action::Run | Action::Audit => match orders(&args) {
            Ok(orders) => work(&args, orders).await,
            Err(wrong) => {
                complain(&wrong);
                Ok(REFUSED)
            }
        },
    }
}

async fn work(args: &Args, orders: Vec<Order>) -> Result<u8> {
    if args.action == Action::Audit {
        let report = match &args.config {
            None => audit::audit(&args.data, &orders).await?,
            Some(config) => audit::audit_cluster(config, &args.data, &orders).await?,
        };
        io::stdout().write_all(report.to_string().as_bytes())?;
        return Ok(if report.is_clean() { 0 } else { FAILED });
    }
    let (complete, summary) = match &args.config {
        None => run::run(&args.data, orders).await?,
        Some(config) => cluster::start(config, &args.data, orders).await?,
    };
    io::stdout().write_all(summary.as_bytes())?;
    if complete {
        return Ok(0);
    }
    complain("stopped; the same command goes on where this one was");
    Ok(STOPPED)
}

/// The orders of the input; its faulty lines are named, and skipped or refused.
fn orders(args: &Args) -> Result<Vec<Order>, String> {
    let input = input::read(&args.source)
        .map_err(|error| format!("{} cannot be read: {error}", args.source))?;
    for fault in &input.faults {
        complain(&format!("{}: {fault}", args.source));
    }
    let faults = input.faults.len();
    if faults > 0 && args.strict {
        return Err(format!(
            "{faults} faulty lines, and nothing was started; mend them, or leave out --strict to \
             skip them"
        ));
    }
    if faults > 0 {
        complain(&format!(
            "{faults} faulty lines were skipped; --strict would refuse the input"
        ));
    }
    Ok(input.orders)
}

fn complain(text: &str) {
    // There is nobody left to tell when this fails.
    drop(writeln!(io::stderr(), "{}", text.trim_end()));
}
