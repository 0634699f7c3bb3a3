//! Where the tests get their stores, and short words for what they do with them.

use std::io::Write as _;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Timestamp};
use infinitic_runtime::backend::{RowOp, Table};
use infinitic_runtime::clock::random_bits;
use infinitic_runtime::cluster::memory::store::MemorySharedStore;
use infinitic_runtime::cluster::store::{
    Beat, CommitId, Epoch, Fleet, HistoryRow, MemberId, Part, PartCommit, SharedStore, Written,
};
#[cfg(feature = "mysql")]
use infinitic_runtime::store::mysql::MysqlStore;
#[cfg(feature = "postgres")]
use infinitic_runtime::store::postgres::PostgresStore;
#[cfg(feature = "redis")]
use infinitic_runtime::store::redis::{RedisSettings, RedisStore};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use infinitic_runtime::store::sql::SqlSettings;

/// Longer than any test runs.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "they are modules of tests too")]
pub(crate) enum Kind {
    memory,
    postgres,
    mysql,
    redis,
}

impl Kind {
    /// Says once, and even when all tests pass, that a store was not tested.
    fn left_out(self, todo: String) {
        static TOLD: [Once; 4] = [const { Once::new() }; 4];
        TOLD[self as usize].call_once(|| {
            // The harness would hold back what `eprintln!` writes.
            let text = format!("\nLEFT OUT: no test of {self:?} has run; {todo}\n");
            std::io::stderr().write_all(text.as_bytes()).unwrap();
        });
    }
}

/// Rows that only one test sees.
#[cfg_attr(
    not(any(feature = "postgres", feature = "mysql", feature = "redis")),
    expect(dead_code, reason = "the store in memory needs no address")
)]
pub(crate) struct Lab {
    kind: Kind,
    /// What begins the names of this test's tables.
    pub(crate) prefix: String,
    /// Of the server.
    pub(crate) url: String,
    memory: MemorySharedStore,
}

impl Lab {
    /// None when the server is not there to be tested, which is said loudly.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let (variable, is_built) = match kind {
            Kind::memory => ("", true),
            Kind::postgres => ("INFINITIC_POSTGRES_URL", cfg!(feature = "postgres")),
            Kind::mysql => ("INFINITIC_MYSQL_URL", cfg!(feature = "mysql")),
            Kind::redis => ("INFINITIC_REDIS_URL", cfg!(feature = "redis")),
        };
        let url = std::env::var(variable).unwrap_or_default();
        if kind != Kind::memory && (url.is_empty() || !is_built) {
            kind.left_out(if is_built {
                format!("set {variable}")
            } else {
                format!("build with the feature `{kind:?}`")
            });
            return None;
        }
        Some(Self {
            kind,
            prefix: format!("t{:08x}_", random_bits() as u32),
            url,
            memory: MemorySharedStore::default(),
        })
    }

    /// Another handle to the same rows, as another process would have it.
    pub(crate) async fn handle(&self) -> Arc<dyn SharedStore> {
        match self.kind {
            Kind::memory => Arc::new(self.memory.clone()),
            #[cfg(feature = "postgres")]
            Kind::postgres => Arc::new(PostgresStore::open(&self.sql()).await.unwrap()),
            #[cfg(feature = "mysql")]
            Kind::mysql => Arc::new(MysqlStore::open(&self.sql()).await.unwrap()),
            #[cfg(feature = "redis")]
            Kind::redis => Arc::new(self.redis().await),
            #[allow(unreachable_patterns, reason = "none is left with all features")]
            left_out => unreachable!("{left_out:?} was left out in `Lab::of`"),
        }
    }

    /// Removes the test's rows from the server.
    pub(crate) async fn erase(self) {
        match self.kind {
            #[cfg(feature = "postgres")]
            Kind::postgres => {
                let store = PostgresStore::open(&self.sql()).await.unwrap();
                store.erase().await.unwrap();
            }
            #[cfg(feature = "mysql")]
            Kind::mysql => {
                let store = MysqlStore::open(&self.sql()).await.unwrap();
                store.erase().await.unwrap();
            }
            #[cfg(feature = "redis")]
            Kind::redis => self.redis().await.erase().await.unwrap(),
            _ => {}
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn sql(&self) -> SqlSettings {
        SqlSettings::new(&self.url)
            .prefix(&self.prefix)
            .connections(4)
    }

    #[cfg(feature = "redis")]
    async fn redis(&self) -> RedisStore {
        let settings = RedisSettings::new(&self.url).prefix(&self.prefix);
        RedisStore::open(&settings).await.unwrap()
    }

    /// A handle, and a member that owns the only partition of a workflow.
    pub(crate) async fn owner(&self) -> Owner {
        Owner::of(self.handle().await, "Orders", "m1").await
    }
}

/// A member that owns a partition.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) store: Arc<dyn SharedStore>,
    pub(crate) member: MemberId,
    pub(crate) part: Part,
    pub(crate) epoch: Epoch,
    /// Number of its last commit.
    number: u32,
}

impl Owner {
    pub(crate) async fn of(store: Arc<dyn SharedStore>, workflow: &str, name: &str) -> Self {
        let part = first_part(&store, workflow).await;
        beat(&store, name, workflow, LONG).await;
        let member = member(name);
        let claim = store.claim(&part, &member).await.unwrap();
        Self {
            store,
            part,
            epoch: claim.expect("nobody else owns it").epoch,
            number: 0,
            member,
        }
    }

    /// The id of the next commit.
    pub(crate) fn next(&mut self) -> CommitId {
        self.number += 1;
        CommitId::new(self.epoch, self.number)
    }

    /// A commit of rows `(instance, row, after)` and index rows.
    pub(crate) fn commit(
        &mut self,
        rows: &[(InstanceId, u32, CommitId)],
        ops: Vec<RowOp>,
    ) -> PartCommit {
        let commit = self.next();
        let history = rows.iter().map(|(id, row, after)| HistoryRow {
            id: *id,
            row: *row,
            after: *after,
            commit,
            value: value_of(*id, *row, commit),
        });
        PartCommit {
            part: self.part.clone(),
            epoch: self.epoch,
            commit,
            history: history.collect(),
            ops,
        }
    }

    /// Writes one commit.
    pub(crate) async fn write(&self, commit: &PartCommit) -> Written {
        let mut written = self.store.write(vec![commit.clone()]).await.unwrap();
        assert_eq!(written.len(), 1, "one answer for each commit");
        written.remove(0)
    }

    /// Writes a commit that must win, and answers its id.
    pub(crate) async fn append(&mut self, rows: &[(InstanceId, u32, CommitId)]) -> CommitId {
        let commit = self.commit(rows, Vec::new());
        assert_eq!(self.write(&commit).await, done());
        commit.commit
    }

    /// Writes index rows.
    pub(crate) async fn index(&mut self, ops: Vec<RowOp>) {
        let commit = self.commit(&[], ops);
        assert_eq!(self.write(&commit).await, done());
    }

    /// The history rows of an instance.
    pub(crate) async fn history(&self, id: InstanceId) -> Vec<HistoryRow> {
        let rows = self.store.histories(&self.part, vec![id]).await;
        rows.unwrap()
    }

    /// Keys and values of a table.
    pub(crate) async fn table(&self, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rows = self
            .store
            .page(&self.part, table, Bytes::new(), None, 100_000);
        let rows = rows.await.unwrap();
        rows.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
    }

    /// Another member takes the partition, whose owner has left but does not know it.
    pub(crate) async fn overtaken_by(&self, name: &str) -> Self {
        self.store.leave(&self.member).await.unwrap();
        Self::of(self.store.clone(), self.part.workflow.as_str(), name).await
    }
}

pub(crate) async fn first_part(store: &Arc<dyn SharedStore>, workflow: &str) -> Part {
    let workflow = name(workflow);
    store.parts(&workflow, 1).await.unwrap();
    Part {
        workflow,
        number: 0,
    }
}

pub(crate) async fn beat(
    store: &Arc<dyn SharedStore>,
    member_name: &str,
    workflow: &str,
    lease: Duration,
) -> Fleet {
    let beat = Beat {
        member: member(member_name),
        hosts: vec![name(workflow)],
        lease,
    };
    store.beat(&beat).await.unwrap()
}

pub(crate) fn name(text: &str) -> WorkflowName {
    WorkflowName::parse(text).unwrap()
}

pub(crate) fn member(text: &str) -> MemberId {
    MemberId(text.to_owned())
}

/// An instance by number; they sort by it.
pub(crate) fn id(n: u64) -> InstanceId {
    InstanceId::new(Timestamp::from_millis(n), n, 0)
}

/// What the tests write into a history row.
pub(crate) fn value_of(id: InstanceId, row: u32, commit: CommitId) -> Bytes {
    Bytes::from(format!("{id} {row} {}", commit.0))
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

/// The key of a history row.
pub(crate) fn history_key(id: InstanceId, row: u32) -> Vec<u8> {
    [id.as_bytes().as_slice(), &row.to_be_bytes()].concat()
}

pub(crate) fn done() -> Written {
    Written::Done { lost: Vec::new() }
}

pub(crate) fn lost(ids: &[InstanceId]) -> Written {
    Written::Done { lost: ids.to_vec() }
}
