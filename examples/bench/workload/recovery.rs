//! R: one process fills a store and is killed; a second one opens it and measures.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use infinitic::prelude::*;

use super::many::Load;
use super::{Place, while_running, worker};
use crate::Failed;
use crate::flows::{Gatekeeper, two_tasks, wait_at_gate, wait_for};
use crate::measure::{Meter, Report, Times, rounded};
use crate::options::{Options, WaitFor};

/// What the first process says when it may be killed.
const FILLED: &str = "filled";
/// Instances started in one round trip.
const AT_ONCE: u64 = 1000;
/// A timer that rings in no benchmark.
const LONG_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// Runs the two processes. The second one prints the report.
pub(crate) fn run(options: &Options, place: &Place) -> Result<(), Failed> {
    let mut filling = child("r-fill", options, place)
        .stdout(Stdio::piped())
        .spawn()?;
    let said = filling.stdout.take().map(|out| {
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).map(|_| line)
    });
    // SIGKILL: nothing of it can be caught or tidied up.
    filling.kill()?;
    filling.wait()?;
    match said {
        Some(Ok(line)) if line.trim() == FILLED => {}
        _ => return Err("the process that fills the store failed".into()),
    }
    let status = child("r-recover", options, place).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("the process that recovers ended with {status}").into()),
    }
}

fn child(workload: &str, options: &Options, place: &Place) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| "bench".into());
    let mut command = Command::new(program);
    command
        .arg(workload)
        .arg("--data")
        .arg(&place.path)
        .args(["--count", &options.count.to_string()])
        .args(["--ended", &options.ended.to_string()]);
    command.args(["--backend", options.backend.name()]);
    if let Some(name) = place.cluster.as_ref().map(|cluster| &cluster.name) {
        command.args(["--name", name]);
    }
    if options.wait == WaitFor::Timer {
        command.args(["--wait", "timer"]);
    }
    if let Some(shards) = options.shards {
        command.args(["--shards", &shards.to_string()]);
    }
    command
}

/// The first process: ended instances, then waiting ones; then it waits to be killed.
pub(crate) async fn fill(options: &Options, place: &Place) -> Result<Option<Report>, Failed> {
    let gate = Gatekeeper::new(false, options.count);
    let worker = worker(options, place)
        .await?
        .workflow(wait_at_gate)
        .service(gate);
    let client = place.client(&worker);
    while_running(worker, async {
        if options.ended > 0 {
            let load = Load {
                count: options.ended,
                limit: None,
                in_flight: 500,
            };
            load.run(&client).await?;
        }
        let mut number = 0;
        while number < options.count {
            let until = options.count.min(number + AT_ONCE);
            start(&client, options.wait, number..until).await?;
            number = until;
        }
        writeln!(std::io::stdout(), "{FILLED}")?;
        std::future::pending::<Result<Option<Report>, Failed>>().await
    })
    .await
}

async fn start(
    client: &Client,
    wait: WaitFor,
    numbers: std::ops::Range<u64>,
) -> Result<(), ClientError> {
    match wait {
        WaitFor::Task => {
            let flow = client.new_workflow::<wait_at_gate>();
            let starts = numbers.map(|number| flow.wait_at_gate(number));
            client.dispatch_many(starts).await.map(drop)
        }
        WaitFor::Timer => {
            let flow = client.new_workflow::<wait_for>();
            let starts = numbers.map(|_| flow.wait_for(LONG_MILLIS));
            client.dispatch_many(starts).await.map(drop)
        }
    }
}

/// The second process.
pub(crate) async fn recover(
    options: &Options,
    place: &Place,
    begin: Instant,
) -> Result<Report, Failed> {
    let gate = Gatekeeper::new(true, options.count);
    let worker = worker(options, place)
        .await?
        .workflow(wait_at_gate)
        .service(gate.clone());
    let (client, source) = (place.client(&worker), place.source(&worker));
    let meter = Meter::begin(source);
    let seconds = |at: Instant| Some(rounded((at - begin).as_secs_f64(), 3));
    while_running(worker, async {
        let flow = client.new_workflow::<two_tasks>();
        flow.two_tasks("hello".to_owned()).await?;
        let ready_s = seconds(Instant::now());
        let (first_s, last_s) = match options.wait {
            WaitFor::Timer => (None, None),
            WaitFor::Task => {
                let all = tokio::time::timeout(Duration::from_secs(600), gate.all_passed());
                let (first, last) = all
                    .await
                    .map_err(|_| "not all instances went on in ten minutes")?;
                (seconds(first), seconds(last))
            }
        };
        Ok(Report {
            first_s,
            last_s,
            ready_s,
            ended: Some(options.ended),
            in_flight: options.count,
            ..meter.end(options.count, Times::default())
        })
    })
    .await
}
