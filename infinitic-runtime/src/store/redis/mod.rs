//! A Redis server that many workers share.
//!
//! # What the server must be configured for
//!
//! Redis holds all rows in memory; its log makes them durable, as the operator sets it:
//!
//! | Setting | Needed | Otherwise |
//! |---|---|---|
//! | `appendonly` | `yes` | a restart loses all since the last snapshot; warned at the start |
//! | `appendfsync` | `always` | a crash of the machine takes back about a second; warned |
//! | `no-appendfsync-on-rewrite` | `no` | the same, while the log is rewritten; warned |
//! | `maxmemory-policy` | `noeviction` | rows vanish when memory is full; refused |
//! | `maxmemory` | room for all histories until they are purged | work stops until there is room |
//!
//! A failover to a replica takes back what the replica had not received, since Redis replicates
//! after it has confirmed. Two settings of the store narrow this: `replicas` makes a commit wait
//! until so many have it (`WAIT`), `wait_aof` until it is synced (`WAITAOF`, from Redis 7.2).
//! Neither makes Redis a consensus: choose a SQL database where no confirmed commit may ever be
//! lost to a failover. What was taken back is noticed, never mixed: the claim's token keeps two
//! owners apart whose claims got the same epoch, and chains of history rows do not close over a
//! gap.
//!
//! The server is one Redis (6 or later, also as Valkey), or a primary behind one address. Keys are
//! laid out for a Redis Cluster (see `keys`), yet the store speaks to one server only.
//!
//! The user needs these rights; without `INFO` and `CONFIG GET` less can be checked:
//!
//! ```text
//! ACL SETUSER worker on >password ~{infinitic}* ~{infinitic/* \
//!     +@read +@write +@connection +@scripting +time +info +config|get
//! ```
//!
//! # How a commit is written
//!
//! One script for each partition, all of a round in one pipeline. A script is atomic, but is not
//! rolled back: it checks epoch, number of the commit and the predecessor of every row before its
//! first write. All time is the server's.

mod erase;
mod error;
mod fleet;
mod keys;
mod link;
mod open;
mod read;
mod scripts;
mod settings;
mod value;
mod write;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use infinitic_core::InstanceId;
use infinitic_core::names::WorkflowName;

pub use open::Durability;
pub use settings::RedisSettings;

use self::keys::Keys;
use self::link::Link;
use crate::backend::{HistoryRow, StoreError, Table};
use crate::cluster::store::{
    Beat, Claim, Epoch, Fleet, MemberId, Part, PartCommit, Pending, Rows, SharedCounters,
    SharedStore, Written,
};

/// A store in a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    link: Link,
    keys: Keys,
    replicas: u16,
    wait_aof: bool,
    durability: Durability,
    /// Of the claims that were made through this store: their epochs and tokens.
    tokens: Mutex<HashMap<Part, (Epoch, String)>>,
    counters: Mutex<SharedCounters>,
}

impl RedisStore {
    /// Connects to a server and looks at how it is configured. May be dropped at any time.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for what somebody must change: address, password, rights, eviction
    /// of keys. [`StoreError::NewerFormat`] when a later version has written these keys.
    /// [`StoreError::Io`] when the server is not reachable now, or not ready.
    pub async fn open(settings: &RedisSettings) -> Result<Self, StoreError> {
        Self::with_client(settings.client()?, settings).await
    }

    /// The same with a client that the application has made, for example with certificates of its
    /// own; address and `ca` of the settings are not looked at.
    ///
    /// # Errors
    /// As [`RedisStore::open`].
    pub async fn with_client(
        client: ::redis::Client,
        settings: &RedisSettings,
    ) -> Result<Self, StoreError> {
        settings.check()?;
        let link = Link::new(client, settings.timeout);
        let keys = Keys::new(&settings.prefix);
        let durability = open::inspect(&link, &keys, settings).await?;
        Ok(Self {
            link,
            keys,
            replicas: settings.replicas,
            wait_aof: settings.wait_aof,
            durability,
            tokens: Mutex::default(),
            counters: Mutex::default(),
        })
    }

    /// What a crash of the server may take back, as it was configured when the store was opened.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    fn counters_now(&self) -> MutexGuard<'_, SharedCounters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<Part, (Epoch, String)>> {
        // Nobody panics between two changes of it.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedStore for RedisStore {
    fn parts(&self, workflow: &WorkflowName, wanted: u16) -> Pending<'_, Result<u16, StoreError>> {
        Box::pin(self.parts_now(workflow.clone(), wanted))
    }

    fn beat(&self, beat: &Beat) -> Pending<'_, Result<Fleet, StoreError>> {
        Box::pin(self.beat_now(beat.clone()))
    }

    fn leave(&self, member: &MemberId) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.leave_now(member.clone()))
    }

    fn claim(
        &self,
        part: &Part,
        member: &MemberId,
    ) -> Pending<'_, Result<Option<Claim>, StoreError>> {
        Box::pin(self.claim_now(part.clone(), member.clone()))
    }

    fn release(&self, part: &Part, epoch: Epoch) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.release_now(part.clone(), epoch))
    }

    fn write(&self, commits: Vec<PartCommit>) -> Pending<'_, Result<Vec<Written>, StoreError>> {
        Box::pin(self.write_now(commits))
    }

    fn histories(
        &self,
        part: &Part,
        ids: Vec<InstanceId>,
    ) -> Pending<'_, Result<Vec<HistoryRow>, StoreError>> {
        Box::pin(self.histories_now(part.clone(), ids))
    }

    fn page(
        &self,
        part: &Part,
        table: Table,
        from: Bytes,
        to: Option<Bytes>,
        limit: usize,
    ) -> Pending<'_, Result<Rows, StoreError>> {
        Box::pin(self.page_now(part.clone(), table, from, to, limit))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.link.close())
    }

    fn counters(&self) -> SharedCounters {
        SharedCounters {
            round_trips: self.link.round_trips(),
            ..*self.counters_now()
        }
    }
}
