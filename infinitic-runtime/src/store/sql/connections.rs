//! Connections of a store: kept out of the pool, so that a call costs no round trips beside its
//! own, and never used again after trouble.
//!
//! A pool of the driver pings each connection when it comes back. Here a connection that answered
//! well is kept as it is; one whose call failed, hung or was dropped is closed at once, because
//! what it still does or says belongs to a call that is over.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Database, Pool};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::SqlSettings;
use crate::backend::StoreError;
use crate::clock;
use crate::cluster::store::{PartCommit, SharedCounters};

/// A connection that was idle for longer is asked whether it still works before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// How long the end of connections may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sets up a connection that was just opened.
pub(crate) trait Prepare: Database {
    /// Settings of the session.
    fn prepare(
        connection: &mut Self::Connection,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// The connections of one store.
pub(crate) struct Connections<DB: Database> {
    pool: Pool<DB>,
    /// Whether the pool ends with the store: it is not the application's.
    is_own: bool,
    kept: Mutex<Vec<(PoolConnection<DB>, Instant)>>,
    permits: Semaphore,
    timeout: Duration,
    place: String,
    round_trips: AtomicU64,
    counters: Mutex<SharedCounters>,
}

impl<DB: Database> fmt::Debug for Connections<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("place", &self.place)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A connection that a call uses.
#[derive(Debug)]
pub(crate) struct Lease<'a, DB: Prepare> {
    connection: Option<PoolConnection<DB>>,
    home: &'a Connections<DB>,
    _permit: SemaphorePermit<'a>,
}

impl<DB: Prepare> Connections<DB> {
    pub(crate) fn new(pool: Pool<DB>, is_own: bool, settings: &SqlSettings) -> Self {
        Self {
            pool,
            is_own,
            kept: Mutex::default(),
            permits: Semaphore::new(settings.connections as usize),
            timeout: settings.timeout,
            place: settings.place(),
            round_trips: AtomicU64::new(0),
            counters: Mutex::default(),
        }
    }

    /// The address, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(PoolConnection<DB>, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that works, as far as is known.
    pub(crate) async fn take(&self) -> Result<Lease<'_, DB>, sqlx::Error> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut lease = Lease {
            connection: None,
            home: self,
            _permit: permit,
        };
        loop {
            let kept = self.kept().pop();
            let Some((connection, since)) = kept else {
                break;
            };
            let idle = clock::monotonic().duration_since(since);
            lease.connection = Some(connection);
            if idle < TRUSTED_IDLE || lease.ping().await.is_ok() {
                return Ok(lease);
            }
            lease.discard();
        }
        lease.connection = Some(self.pool.acquire().await?);
        DB::prepare(&mut lease, self.timeout).await?;
        Ok(lease)
    }

    /// Runs a call within the time it may take.
    pub(crate) async fn call<T, F>(&self, work: F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if error.as_database_error().is_none() {
                    // What broke one connection has most likely broken all.
                    self.discard_kept();
                }
                Err(CallError::Failed(error))
            }
            Err(_) => {
                self.discard_kept();
                Err(CallError::Hung(self.timeout))
            }
        }
    }

    fn discard_kept(&self) {
        let kept = std::mem::take(&mut *self.kept());
        for (connection, _) in kept {
            drop(connection.detach());
        }
    }

    /// Counts questions to the server.
    pub(crate) fn count_round_trips(&self, round_trips: u64) {
        self.round_trips.fetch_add(round_trips, Ordering::Relaxed);
    }

    /// Counts a transaction that wrote commits.
    pub(crate) fn count_commits(&self, commits: &[PartCommit]) {
        let counters = self.counters.lock();
        let mut counters = counters.unwrap_or_else(PoisonError::into_inner);
        counters.commits += 1;
        for commit in commits {
            counters.add_rows_of(commit);
        }
    }

    pub(crate) fn counters(&self) -> SharedCounters {
        let counters = *self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        SharedCounters {
            round_trips: self.round_trips.load(Ordering::Relaxed),
            ..counters
        }
    }

    /// Ends all connections; those that calls still use end with their calls.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let kept = std::mem::take(&mut *self.kept());
        let ends = async {
            for (connection, _) in kept {
                if let Err(error) = connection.close().await {
                    tracing::debug!(%error, "the end of a connection was not heard");
                }
            }
            if self.is_own {
                self.pool.close().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, ends).await.is_err() {
            tracing::debug!(place = %self.place, "the database does not hear that we leave");
        }
    }
}

impl<DB: Prepare> Lease<'_, DB> {
    /// Keeps the connection for the next call: it has answered all it was asked.
    pub(crate) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.kept().push((connection, clock::monotonic()));
        }
    }

    fn discard(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Its socket is closed here and now; nothing waits for a server that may hang.
            drop(connection.detach());
        }
    }
}

impl<DB: Prepare> Drop for Lease<'_, DB> {
    fn drop(&mut self) {
        self.discard();
    }
}

impl<DB: Prepare> Deref for Lease<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.connection
            .as_ref()
            .expect("a lease has a connection until it is given back")
    }
}

impl<DB: Prepare> DerefMut for Lease<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection
            .as_mut()
            .expect("a lease has a connection until it is given back")
    }
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum CallError {
    Failed(sqlx::Error),
    Hung(Duration),
}

impl CallError {
    /// The error of a store that was open already: it may work again.
    pub(crate) fn passing(&self, place: &str) -> StoreError {
        StoreError::Io(match self {
            Self::Failed(error) => format!("the database {place}: {error}"),
            Self::Hung(after) => {
                format!("the database {place} gave no answer within {after:?}")
            }
        })
    }

    /// The code that the server gave.
    pub(crate) fn code(&self) -> Option<String> {
        match self {
            Self::Failed(error) => error
                .as_database_error()?
                .code()
                .map(std::borrow::Cow::into_owned),
            Self::Hung(_) => None,
        }
    }
}
