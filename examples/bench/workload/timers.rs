//! T: instances that wait for a timer. Times are how late each was, as its client saw it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use infinitic::prelude::*;

use super::{Place, while_running, worker};
use crate::Failed;
use crate::flows::wait_for;
use crate::measure::{Meter, Report, Times, rounded};
use crate::options::Options;

/// How long each instance waits.
const WAIT_MILLIS: u64 = 5_000;

pub(crate) async fn run(options: &Options, place: &Place) -> Result<Report, Failed> {
    let worker = worker(options, place).await?;
    let (client, source) = (place.client(&worker), place.source(&worker));
    let report = while_running(worker, async {
        place.ready(options, &client).await?;
        let meter = Meter::begin(source);
        let waits: Vec<_> = (0..options.count)
            .map(|_| tokio::spawn(one(client.clone())))
            .collect();
        let mut times = Times::default();
        let (mut late, mut late_in_workflow) = (Duration::ZERO, 0);
        for wait in waits {
            let (seen, in_workflow) = wait.await??;
            times.add(seen);
            late = late.max(seen);
            late_in_workflow = late_in_workflow.max(in_workflow);
        }
        Ok(Report {
            late_ms: Some(rounded(late.as_secs_f64() * 1000.0, 1)),
            late_in_workflow_ms: Some(late_in_workflow as f64),
            in_flight: options.count,
            ..meter.end(options.count, times)
        })
    });
    report.await
}

/// How late the client knew, and how many milliseconds late the code went on.
async fn one(client: Client) -> Result<(Duration, u64), Failed> {
    let flow = client.new_workflow::<wait_for>();
    let (due, went_on) = flow.wait_for(WAIT_MILLIS).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok((
        now.saturating_sub(Duration::from_millis(due)),
        went_on.saturating_sub(due),
    ))
}
