//! Redis servers that belong to one test.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};
use infinitic_runtime::backend::{CommitId, HistoryRow, RowOp, Table};
use infinitic_runtime::cluster::store::{
    Beat, Epoch, MemberId, Part, PartCommit, SharedStore as _, Written,
};
use infinitic_runtime::store::redis::{RedisSettings, RedisStore};

/// Each write is synced before it is confirmed.
pub(crate) const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

/// A server, killed at the end of its test.
pub(crate) struct Server {
    pub(crate) port: u16,
    options: Vec<String>,
    child: Child,
    dir: tempfile::TempDir,
}

impl Server {
    /// None when there is no `redis-server` on this machine, which is said loudly.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        if Command::new("redis-server")
            .arg("--version")
            .output()
            .is_err()
        {
            eprintln!("LEFT OUT: no redis-server is installed (Debian: redis-server)");
            return None;
        }
        Some(Self::start_on(free_port(), options))
    }

    /// A server that speaks TLS at its port, without asking for certificates of clients.
    pub(crate) fn start_tls(options: &[&str]) -> Option<Self> {
        let tls = free_port().to_string();
        let all = [&["--tls-auth-clients", "no", "--tls-port", &tls], options].concat();
        let mut server = Self::start(&all)?;
        server.port = tls.parse().unwrap();
        Some(server)
    }

    fn start_on(port: u16, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let child = spawn(port, dir.path(), &options);
        Self {
            port,
            options,
            child,
            dir,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// SIGKILL, and a new process on the same data.
    pub(crate) fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.port, self.dir.path(), &self.options);
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// A call as an operator makes it.
    pub(crate) async fn call<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut call = redis::cmd(words[0]);
        call.arg(&words[1..]);
        call.query_async(&mut connection).await.unwrap()
    }

    pub(crate) async fn store(&self) -> RedisStore {
        RedisStore::open(&settings(&self.url())).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

fn spawn(port: u16, dir: &std::path::Path, options: &[String]) -> Child {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--dir"])
        .arg(dir)
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let mut lines = BufReader::new(out).lines();
    let ready = lines.any(|line| line.unwrap().contains("Ready to accept connections"));
    assert!(ready, "the server ended at its start");
    // What it writes later is read on, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

pub(crate) fn settings(url: &str) -> RedisSettings {
    RedisSettings::new(url).timeout(Duration::from_secs(20))
}

pub(crate) fn id(n: u64) -> InstanceId {
    InstanceId::new(Timestamp::from_millis(n), n, 0)
}

pub(crate) fn row_key(id: InstanceId, row: u32) -> Vec<u8> {
    [&id.as_bytes()[..], &row.to_be_bytes()].concat()
}

/// A member that owns a partition.
pub(crate) struct Owner {
    pub(crate) store: Arc<RedisStore>,
    pub(crate) part: Part,
    pub(crate) epoch: Epoch,
    number: u64,
}

impl Owner {
    pub(crate) async fn of(store: RedisStore, member: &str) -> Self {
        let workflow = WorkflowName::known("Orders");
        let member = MemberId(member.to_owned());
        store.parts(&workflow, 1).await.unwrap();
        let beat = Beat {
            member: member.clone(),
            hosts: vec![workflow.clone()],
            lease: Duration::from_secs(600),
        };
        store.beat(&beat).await.unwrap();
        let part = Part {
            workflow,
            number: 0,
        };
        let claim = store.claim(&part, &member).await.unwrap();
        Self {
            store: Arc::new(store),
            epoch: claim.expect("it is free").epoch,
            part,
            number: 0,
        }
    }

    /// The next commit: rows `(instance, row, after)` and ops.
    pub(crate) fn commit(
        &mut self,
        rows: &[(InstanceId, u32, CommitId)],
        ops: Vec<RowOp>,
    ) -> PartCommit {
        self.number += 1;
        let commit = self.epoch.first_commit().plus(self.number);
        let history = rows.iter().map(|&(id, row, after)| HistoryRow {
            id,
            row,
            after,
            commit,
            value: Bytes::from(vec![row as u8; 100]),
        });
        PartCommit {
            part: self.part.clone(),
            epoch: self.epoch,
            commit,
            history: history.collect(),
            ops,
        }
    }

    pub(crate) async fn write(&self, commit: &PartCommit) -> Written {
        let written = self.store.write(vec![commit.clone()]).await.unwrap();
        written[0].clone()
    }

    pub(crate) async fn table(&self, table: Table) -> Vec<(Bytes, Bytes)> {
        let page = self
            .store
            .page(&self.part, table, Bytes::new(), None, 1_000_000);
        page.await.unwrap()
    }
}

pub(crate) fn done() -> Written {
    Written::Done { lost: Vec::new() }
}

pub(crate) fn put(table: Table, key: &[u8], value: &[u8]) -> RowOp {
    RowOp {
        table,
        key: Bytes::copy_from_slice(key),
        value: Some(Bytes::copy_from_slice(value)),
    }
}

pub(crate) fn remove(table: Table, key: &[u8]) -> RowOp {
    RowOp {
        table,
        key: Bytes::copy_from_slice(key),
        value: None,
    }
}
