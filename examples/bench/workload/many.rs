//! W2: many short workflows. So many clients in this process each start one and wait for it, over
//! and over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use infinitic::prelude::*;

use super::{Place, while_running, worker};
use crate::Failed;
use crate::flows::two_tasks;
use crate::measure::{Meter, Report, Times};
use crate::options::Options;

pub(crate) async fn run(options: &Options, place: &Place) -> Result<Report, Failed> {
    let worker = worker(options, place).await?;
    let (client, source) = (place.client(&worker), place.source(&worker));
    let load = Load {
        count: options.limit.map_or(options.count, |_| u64::MAX),
        limit: options.limit,
        in_flight: options.in_flight,
    };
    let report = while_running(worker, async {
        place.ready(options, &client).await?;
        let meter = Meter::begin(source);
        let times = load.run(&client).await?;
        let mut report = meter.end(times.len(), times);
        if let (1, Some(cluster)) = (options.in_flight, &mut report.cluster) {
            cluster.check_alone();
        }
        Ok(report)
    });
    Ok(Report {
        in_flight: options.in_flight,
        ..report.await?
    })
}

/// How many workflows of two tasks, or for how long, and how many at a time.
pub(crate) struct Load {
    pub(crate) count: u64,
    pub(crate) limit: Option<Duration>,
    pub(crate) in_flight: u64,
}

impl Load {
    /// Runs them; gives the time of each.
    pub(crate) async fn run(&self, client: &Client) -> Result<Times, Failed> {
        let left = Arc::new(AtomicU64::new(self.count));
        let end = self.limit.map(|limit| Instant::now() + limit);
        let loops: Vec<_> = (0..self.in_flight)
            .map(|_| tokio::spawn(one_client(client.clone(), Arc::clone(&left), end)))
            .collect();
        let mut times = Times::default();
        for one in loops {
            times.append(one.await??);
        }
        Ok(times)
    }
}

async fn one_client(
    client: Client,
    left: Arc<AtomicU64>,
    end: Option<Instant>,
) -> Result<Times, Failed> {
    let mut times = Times::default();
    let flow = client.new_workflow::<two_tasks>();
    let take = |left: u64| left.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let begin = Instant::now();
        if end.is_some_and(|end| begin >= end) {
            break;
        }
        let text = flow.two_tasks("hello".to_owned()).await?;
        if text != "hello" {
            return Err(format!("a workflow gave `{text}`").into());
        }
        times.add(begin.elapsed());
    }
    Ok(times)
}
