//! F and S: one workflow with many tasks, at once or in a row.

use std::time::Instant;

use super::{Place, while_running, worker};
use crate::Failed;
use crate::flows::{Clocked, fan_out as fan_out_flow, sequence as sequence_flow};
use crate::measure::{Meter, Report, Times};
use crate::options::Options;

/// F: times are those of whole fan-outs.
pub(crate) async fn fan_out(options: &Options, place: &Place) -> Result<Report, Failed> {
    let worker = worker(options, place).await?;
    let (client, source) = (place.client(&worker), place.source(&worker));
    let report = while_running(worker, async {
        place.ready(options, &client).await?;
        let meter = Meter::begin(source);
        let mut times = Times::default();
        for _ in 0..options.count {
            let begin = Instant::now();
            let flow = client.new_workflow::<fan_out_flow>();
            let done = flow.fan_out(options.tasks).await?;
            if done != options.tasks as usize {
                return Err(format!("{done} tasks instead of {}", options.tasks).into());
            }
            times.add(begin.elapsed());
        }
        Ok(meter.end(options.count, times))
    });
    Ok(Report {
        in_flight: 1,
        ..report.await?
    })
}

/// S: everything is counted by step; times are those between two steps.
pub(crate) async fn sequence(options: &Options, place: &Place) -> Result<Report, Failed> {
    let clocked = Clocked::default();
    let worker = worker(options, place).await?.service(clocked.clone());
    let (client, source) = (place.client(&worker), place.source(&worker));
    let report = while_running(worker, async {
        place.ready(options, &client).await?;
        drop(clocked.take());
        let meter = Meter::begin(source);
        let mut times = Times::default();
        for _ in 0..options.count {
            let begin = Instant::now();
            let flow = client.new_workflow::<sequence_flow>();
            flow.sequence(options.steps).await?;
            let calls = clocked.take();
            for pair in calls.windows(2) {
                times.add(pair[1] - pair[0]);
            }
            if calls.is_empty() {
                // They ran in another process.
                times.add(begin.elapsed() / options.steps);
            }
        }
        Ok(meter.end(options.count * u64::from(options.steps), times))
    });
    Ok(Report {
        in_flight: 1,
        ..report.await?
    })
}
