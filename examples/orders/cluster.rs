//! The same orders in a cluster: some processes host services and workflow, another one starts
//! orders and waits. A configuration file says where the broker and the database are.

use std::path::Path;

use infinitic::prelude::*;

use crate::ledger::Ledger;
use crate::order::Order;
use crate::run::{Job, RETENTION, host};

/// Hosts services and workflow until a signal comes.
pub async fn work(config: &Path, data: &Path) -> Result<()> {
    let worker = Worker::from_config(config)?.retention(RETENTION);
    create(data)?;
    let ledger = Ledger::open_own(data)?;
    let ran = host(worker, &ledger).run().await;
    ledger.end()?;
    Ok(ran?)
}

/// Starts orders and waits until all have ended or a signal comes. Answers whether all have.
pub async fn start(config: &Path, data: &Path, orders: Vec<Order>) -> Result<(bool, String)> {
    create(data)?;
    let client = Client::from_config(config).await?;
    let mut job = Job::new(client, data, &orders)?;
    let result = tokio::select! {
        done = job.run(orders) => done,
        () = shutdown_signal() => Ok(()),
    };
    job.end(result, data)
}

fn create(data: &Path) -> Result<()> {
    std::fs::create_dir_all(data)
        .map_err(|error| Error::msg(format!("{} cannot be created: {error}", data.display())))
}
