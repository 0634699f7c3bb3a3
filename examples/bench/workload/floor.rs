//! The floor: the rows that W2 must write at least, through one writer, and nothing else. What is
//! above it in W2 is our own cost.

use std::sync::Arc;
use std::time::Instant;

use infinitic_runtime::backend::memory::MemoryStore;
use infinitic_runtime::backend::{KeyValue, RowOp, StoreMeter, Table};
use infinitic_runtime::embedded::EmbeddedStore;

use super::Place;
use crate::Failed;
use crate::measure::{Meter, Report, Source, Times};
use crate::options::{Backend, Options};

/// Commits that each workflow needs.
const COMMITS: u32 = 3;
/// Bytes of each row.
const ROW_BYTES: usize = 400;

pub(crate) fn run(options: &Options, place: &Place) -> Result<Report, Failed> {
    let store: Arc<dyn KeyValue> = match options.backend {
        Backend::Embedded => Arc::new(EmbeddedStore::open(&place.path)?),
        Backend::Memory | Backend::ClusterMemory | Backend::Cluster(_) => {
            Arc::new(MemoryStore::default())
        }
    };
    let meter = Meter::begin(Source::Store(StoreMeter::new(Arc::clone(&store))));
    let mut times = Times::default();
    let mut done = 0;
    let mut batch = store.last_batch();
    let value = bytes::Bytes::from(vec![b'x'; ROW_BYTES]);
    let goes_on = |done| match options.limit {
        Some(limit) => meter.elapsed() < limit,
        None => done < options.count,
    };
    while goes_on(done) {
        let begin = Instant::now();
        for commit in 0..COMMITS {
            let rows = (done..done + options.in_flight).map(|number| RowOp {
                table: Table::History,
                key: key(number, commit).into(),
                value: Some(value.clone()),
            });
            batch += 1;
            store.write(batch, &rows.collect::<Vec<_>>())?;
        }
        done += options.in_flight;
        times.add(begin.elapsed());
    }
    let report = meter.end(done, times);
    store.close();
    Ok(Report {
        in_flight: options.in_flight,
        ..report
    })
}

/// As long as a history's key.
fn key(number: u64, commit: u32) -> Vec<u8> {
    let mut key = number.to_be_bytes().to_vec();
    key.extend_from_slice(&[0; 8]);
    key.extend_from_slice(&commit.to_be_bytes());
    key
}
