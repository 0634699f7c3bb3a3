//! The audit: do the input, the notebook, the ledger and the stored results tell the same story?
//!
//! Of a store in a directory, it is the only worker. It hosts the workflow, so that no order stands
//! still for want of it, but no service: an open order may come to the end of its timer, and does
//! nothing. In a cluster, the workers answer.
//! What the answers mean is decided in `compare`, which is plain code.

mod compare;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use futures::StreamExt;
use infinitic::prelude::*;

use crate::fulfil::fulfil;
use crate::ledger;
use crate::notebook::{Notebook, Notes};
use crate::order::{Order, OrderError, OrderId, Outcome, Parcel};
use crate::run::open_worker;

use compare::Made;
pub use report::Report;

/// Questions that are on their way at the same time.
const ASKED_AT_ONCE: usize = 256;

/// Messages that were set aside, as far as an audit tells them.
const LETTERS_MAX: usize = 100;

/// What the store says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    Unknown,
    Open,
    /// Its code stands still, and why.
    Stopped(String),
    Ended(Outcome),
}

/// Audits a data directory.
pub async fn audit(data: &Path, orders: &[Order]) -> Result<Report> {
    // Before the worker, which would create a directory that is not there.
    Notebook::read(data)?.ok_or_else(|| nothing(data))?;
    let worker = open_worker(data)?.workflow(fulfil);
    // Again: now that the directory is ours, nobody writes it.
    let notes = Notebook::read(data)?.ok_or_else(|| nothing(data))?;
    let ledgers = ledger::read(data)?;
    let client = worker.client();
    let mut stored = Ok(BTreeMap::new());
    worker
        .run_until(async { stored = ask_all(&client, &notes).await })
        .await?;
    Ok(compare::compare(
        orders,
        &notes,
        &ledgers,
        &stored?,
        Made::Once,
    ))
}

/// Audits what the workers of a cluster did, from the files in a data directory and the answers of
/// the workers, at least one of which must run.
pub async fn audit_cluster(config: &Path, data: &Path, orders: &[Order]) -> Result<Report> {
    let notes = Notebook::read(data)?.ok_or_else(|| nothing(data))?;
    let client = Client::from_config(config).await?;
    let stored = ask_all(&client, &notes).await?;
    // Later than the answers: what they tell stands in the ledgers by now.
    let ledgers = ledger::read(data)?;
    let mut report = compare::compare(orders, &notes, &ledgers, &stored, Made::AtLeastOnce);
    for letter in client.dead_letters(LETTERS_MAX).await? {
        let text = format!("a message was set aside: {}", letter.reason);
        report.lost.push(text);
    }
    Ok(report)
}

fn nothing(data: &Path) -> Error {
    Error::msg(format!(
        "nothing was started in {}; run the orders first, or name their directory with --data",
        data.display()
    ))
}

async fn ask_all(client: &Client, notes: &Notes) -> Result<BTreeMap<OrderId, Stored>> {
    let mut answers = futures::stream::iter(notes)
        .map(|(order, noted)| async move { (order, ask(client, noted.instance).await) })
        .buffer_unordered(ASKED_AT_ONCE);
    let mut stored = BTreeMap::new();
    while let Some((order, answer)) = answers.next().await {
        stored.insert(order.clone(), answer?);
    }
    Ok(stored)
}

async fn ask(client: &Client, id: InstanceId) -> Result<Stored> {
    let state = match client.get_workflow_by_id::<fulfil>(id).state().await {
        Ok(state) => state,
        Err(ClientError::Refused(failure)) if failure.kind == FailureKind::UnknownInstance => {
            return Ok(Stored::Unknown);
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(why) = state.stopped {
        return Ok(Stored::Stopped(why.message));
    }
    if !state.status.is_ended() {
        return Ok(Stored::Open);
    }
    let run: Run<Parcel, OrderError> = client.attach(id);
    Ok(Stored::Ended(Outcome::of(run.await)))
}
