//! How fast the store takes batches, and what that costs: run by hand, optimised, on Linux.
//!
//! `cargo run --release -p infinitic-runtime --example store_speed`; `STORE_SECONDS` sets the
//! length of each run, `STORE_DIR` the disk.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

#[path = "../tests/store_support/mod.rs"]
mod store_support;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use infinitic_runtime::backend::{KeyValue as _, RowOp, Table};
use infinitic_runtime::embedded::EmbeddedStore;

use store_support::Random;

struct Load {
    name: &'static str,
    rows: usize,
    value: usize,
    /// Rows of instances that ended so many instances ago are removed, three rows each.
    purge_after: Option<usize>,
}

fn main() {
    let seconds = std::env::var("STORE_SECONDS").map_or(5, |text| text.parse().unwrap());
    let only = std::env::var("STORE_LOAD").unwrap_or_default();
    let load = |name, rows, value, purge_after| Load {
        name,
        rows,
        value,
        purge_after,
    };
    let loads = [
        load("1 row of 150", 1, 150, None),
        load("100 rows of 150", 100, 150, None),
        load("1000 rows of 150", 1_000, 150, None),
        load("floor: 200 rows of 400", 200, 400, None),
        load("200 rows of 150, purged", 200, 150, Some(20_000)),
    ];
    raw_syncs();
    for load in loads.iter().filter(|load| load.name.contains(&only)) {
        run(load, Duration::from_secs(seconds));
    }
}

/// What the disk does without a store: appends of 30 KB, each synced.
fn raw_syncs() {
    let temp = tempfile::tempdir_in(base()).unwrap();
    let mut file = std::fs::File::create(temp.path().join("raw")).unwrap();
    let (start, mut syncs) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        file.write_all(&[1; 30_000]).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    println!("raw: {} syncs/s", syncs / 2);
}

fn base() -> PathBuf {
    std::env::var_os("STORE_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Instances are 200 in flight; each gets its rows 0, 1 and 2 in three batches.
fn run(load: &Load, length: Duration) {
    let temp = tempfile::tempdir_in(base()).unwrap();
    let store = EmbeddedStore::open(temp.path().join("data")).unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let mut random = Random(1);
    let mut value = vec![0; load.value];
    // Half of it random: payloads pack to about half of their size.
    value[..load.value / 2]
        .iter_mut()
        .for_each(|byte| *byte = random.next() as u8);
    let value = Bytes::from(value);
    let mut live: Vec<(Bytes, u16)> = Vec::new();
    let mut ended = std::collections::VecDeque::new();
    let (mut number, mut rows, mut slowest) = (0, 0_u64, Duration::ZERO);
    let (cpu, start) = (cpu_ms(), Instant::now());
    while start.elapsed() < length {
        let mut batch = Vec::with_capacity(load.rows);
        for _ in 0..load.rows {
            if live.len() < 200 {
                live.push((id(number, &mut random), 0));
            }
            let at = random.below(live.len() as u64) as usize;
            let (id, row) = &mut live[at];
            batch.push(put(id, *row, &value));
            *row += 1;
            if *row == 3 {
                let id = live.swap_remove(at).0;
                if load.purge_after.is_some() {
                    ended.push_back(id);
                }
            }
        }
        while load.purge_after.is_some_and(|keep| ended.len() > keep) {
            let id = ended.pop_front().unwrap();
            batch.extend((0..3).map(|row| RowOp {
                value: None,
                ..put(&id, row, &value)
            }));
        }
        rows += load.rows as u64;
        number += 1;
        let before = Instant::now();
        store.write(number, &batch).unwrap();
        slowest = slowest.max(before.elapsed());
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_ms() - cpu);
    let workflows = rows as f64 / 3.0;
    println!(
        "{:26} {:>8.0} rows/s {:>8.0} batches/s {:>7.0} workflows/s  {:.4} ms CPU/workflow  \
         {} MB peak  slowest {:?}  syncs {:.3}/batch",
        load.name,
        rows as f64 / took,
        number as f64 / took,
        workflows / took,
        cpu / workflows,
        peak_mb(),
        slowest,
        store.counters().syncs as f64 / number as f64,
    );
    drop(store);
    let start = Instant::now();
    let store = EmbeddedStore::open(temp.path().join("data")).unwrap();
    println!(
        "{:26} opened again in {:?}, {} MB peak",
        "",
        start.elapsed(),
        peak_mb()
    );
    store.close();
}

/// 16 bytes that grow with time, as ids of instances do.
fn id(time: u64, random: &mut Random) -> Bytes {
    [time.to_be_bytes(), random.next().to_be_bytes()]
        .concat()
        .into()
}

fn put(id: &Bytes, row: u16, value: &Bytes) -> RowOp {
    let key = [&id[..], &row.to_be_bytes()].concat();
    RowOp {
        table: Table::History,
        key: key.into(),
        value: Some(value.clone()),
    }
}

fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10.0
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}
