//! What rounds cost in a shared database: run by hand, optimised, on Linux.
//!
//! `INFINITIC_POSTGRES_URL=… cargo run --release -p infinitic-runtime --features postgres --example
//! shared_speed`; likewise for MySQL and Redis. `SHARED_SERVER_PID` is the server's process, whose
//! time and that of its children is told too; `SHARED_SECONDS` sets the length of each run.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use infinitic_core::InstanceId;
use infinitic_core::names::WorkflowName;
use infinitic_runtime::backend::{RowOp, Table};
use infinitic_runtime::clock::{Clock as _, SystemClock, random_bits};
use infinitic_runtime::cluster::store::{
    Beat, CommitId, Epoch, HistoryRow, MemberId, Part, PartCommit, SharedStore, Written,
};

/// Partitions of which each call writes a commit.
const PARTS: u16 = 8;
/// Rows of a workflow of two tasks.
const ROWS: u32 = 3;
/// Their size.
const VALUE: usize = 150;

struct Load {
    name: &'static str,
    /// Workflows that each call takes one step further.
    workflows: u64,
    /// Whether ended ones are listed, and removed some rounds later.
    purged: bool,
}

const LOADS: [Load; 4] = [
    Load {
        name: "1 row a call",
        workflows: 1,
        purged: false,
    },
    Load {
        name: "24 rows a call",
        workflows: 24,
        purged: false,
    },
    Load {
        name: "200 rows a call",
        workflows: 200,
        purged: false,
    },
    Load {
        name: "200 rows a call, purged",
        workflows: 200,
        purged: true,
    },
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::var("SHARED_SECONDS").map_or(5, |text| text.parse().unwrap());
    for (store, name) in stores().await {
        println!("{name}");
        for load in &LOADS {
            run(&store, load, Duration::from_secs(seconds)).await;
        }
        store.close().await;
    }
}

async fn stores() -> Vec<(Arc<dyn SharedStore>, &'static str)> {
    #[allow(unused_mut, reason = "without features there is none")]
    let mut stores: Vec<(Arc<dyn SharedStore>, &'static str)> = Vec::new();
    #[cfg(feature = "postgres")]
    if let Ok(url) = std::env::var("INFINITIC_POSTGRES_URL") {
        use infinitic_runtime::store::postgres::PostgresStore;
        use infinitic_runtime::store::sql::SqlSettings;
        let settings = SqlSettings::new(url).prefix("speed_");
        let store = PostgresStore::open(&settings).await.unwrap();
        store.erase().await.unwrap();
        drop(store);
        let store = PostgresStore::open(&settings).await.unwrap();
        stores.push((Arc::new(store), "PostgreSQL"));
    }
    #[cfg(feature = "mysql")]
    if let Ok(url) = std::env::var("INFINITIC_MYSQL_URL") {
        use infinitic_runtime::store::mysql::MysqlStore;
        use infinitic_runtime::store::sql::SqlSettings;
        let settings = SqlSettings::new(url).prefix("speed_");
        let store = MysqlStore::open(&settings).await.unwrap();
        store.erase().await.unwrap();
        drop(store);
        let store = MysqlStore::open(&settings).await.unwrap();
        stores.push((Arc::new(store), "MySQL"));
    }
    #[cfg(feature = "redis")]
    if let Ok(url) = std::env::var("INFINITIC_REDIS_URL") {
        use infinitic_runtime::store::redis::{RedisSettings, RedisStore};
        let settings = RedisSettings::new(url).prefix("speed");
        let store = RedisStore::open(&settings).await.unwrap();
        store.erase().await.unwrap();
        stores.push((Arc::new(store), "Redis"));
    }
    stores
}

/// A partition of the run.
struct Owned {
    part: Part,
    epoch: Epoch,
    number: u32,
    /// Instances on their way: the next row, and the last commit.
    open: Vec<(InstanceId, u32, CommitId)>,
    ended: Vec<InstanceId>,
}

async fn claim(store: &Arc<dyn SharedStore>, workflow: &WorkflowName) -> Vec<Owned> {
    let beat = Beat {
        member: MemberId("speed".to_owned()),
        hosts: vec![workflow.clone()],
        lease: Duration::from_hours(1),
    };
    let parts = store.parts(workflow, PARTS).await.unwrap();
    store.beat(&beat).await.unwrap();
    let mut owned = Vec::new();
    for number in 0..parts {
        let workflow = workflow.clone();
        let part = Part { workflow, number };
        let claim = store.claim(&part, &beat.member).await.unwrap().unwrap();
        owned.push(Owned {
            part,
            epoch: claim.epoch,
            number: 0,
            open: Vec::new(),
            ended: Vec::new(),
        });
    }
    owned
}

impl Owned {
    fn commit(&mut self, workflows: u64, purged: bool) -> PartCommit {
        self.number += 1;
        let commit = CommitId::new(self.epoch, self.number);
        while (self.open.len() as u64) < workflows {
            let id = InstanceId::new(SystemClock.now(), random_bits(), self.part.number);
            self.open.push((id, 0, CommitId::NONE));
        }
        let history = self.open.iter_mut().map(|(id, next, last)| {
            let row = HistoryRow {
                id: *id,
                row: *next,
                after: *last,
                commit,
                value: Bytes::from_static(&[7; VALUE]),
            };
            (*next, *last) = (*next + 1, commit);
            row
        });
        let history = history.collect();
        let ended = self.open.extract_if(.., |(_, next, _)| *next == ROWS);
        self.ended.extend(ended.map(|(id, _, _)| id));
        let ops = if purged { self.purge() } else { Vec::new() };
        PartCommit {
            part: self.part.clone(),
            epoch: self.epoch,
            commit,
            history,
            ops,
        }
    }

    fn purge(&mut self) -> Vec<RowOp> {
        let op = |table, key: Vec<u8>, value: Option<&'static [u8]>| RowOp {
            table,
            key: key.into(),
            value: value.map(Bytes::from_static),
        };
        let list = |number: u32| number.to_be_bytes().to_vec();
        let mut ops = vec![op(Table::Purge, list(self.number), Some(&[7; 400]))];
        if self.ended.len() > 1_000 {
            ops.push(op(Table::Purge, list(self.number - 20), None));
            for id in self.ended.drain(..500) {
                let key = |row: u32| [id.as_bytes().as_slice(), &row.to_be_bytes()].concat();
                ops.extend((0..ROWS).map(|row| op(Table::History, key(row), None)));
            }
        }
        ops
    }
}

async fn run(store: &Arc<dyn SharedStore>, load: &Load, length: Duration) {
    let name = format!("Speed of {} {}", load.name, random_bits());
    let mut parts = claim(store, &WorkflowName::known(&name)).await;
    let each = load.workflows.div_ceil(u64::from(PARTS));
    let commits = if load.workflows == 1 { 1 } else { parts.len() };
    let (own, server) = (own_ms(), server_ms());
    let (start, mut calls, mut rows, mut slowest) = (Instant::now(), 0_u32, 0_u64, 0.0_f64);
    while start.elapsed() < length {
        let round = parts[..commits].iter_mut();
        let round: Vec<_> = round.map(|part| part.commit(each, load.purged)).collect();
        rows += round.iter().map(|c| c.history.len() as u64).sum::<u64>();
        let begun = Instant::now();
        for written in store.write(round).await.unwrap() {
            assert_eq!(written, Written::Done { lost: Vec::new() });
        }
        slowest = slowest.max(begun.elapsed().as_secs_f64());
        calls += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let workflows = rows as f64 / f64::from(ROWS);
    println!(
        "  {:<24} {:>8.0} rows/s, {:>6.2} ms a call (slowest {:.0} ms); a workflow of {ROWS} \
         rows: {:.3} ms of the client, {:.3} ms of the server",
        load.name,
        rows as f64 / seconds,
        1_000.0 * seconds / f64::from(calls),
        1_000.0 * slowest,
        (own_ms() - own) / workflows,
        (server_ms() - server) / workflows,
    );
}

fn own_ms() -> f64 {
    ticks("self", false)
}

/// Time of the server and of all its children, those that have ended included.
fn server_ms() -> f64 {
    let Ok(server) = std::env::var("SHARED_SERVER_PID") else {
        return 0.0;
    };
    let mut sum = ticks(&server, true);
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().into_string().unwrap();
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(&server) {
            sum += ticks(&pid, false);
        }
    }
    sum
}

/// User and system time, in milliseconds.
fn ticks(pid: &str, children: bool) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let fields: Vec<u64> = fields
        .skip(11)
        .take(4)
        .map(|f| f.parse().unwrap_or(0))
        .collect();
    let count = if children { 4 } else { 2 };
    fields.iter().take(count).sum::<u64>() as f64 * 10.0
}
