//! Connections of a store: a call costs no round trips beside its own, and a connection is never
//! used again after trouble.
//!
//! A pool of the driver pings each connection when it comes back, and waits for a server that is
//! away without a word on why. Here a connection that answered well is kept as it is; one whose
//! call failed, hung or was dropped is closed at once, because what it still does or says belongs
//! to a call that is over; and a server that refuses is heard at once.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection, Database, Pool};
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

/// Where connections come from.
pub(crate) enum Source<DB: Database> {
    /// The store's own.
    Server(Box<<DB::Connection as Connection>::Options>),
    /// The application's pool.
    Pool(Pool<DB>),
}

/// A connection, of whichever source. Dropping it closes its socket here and now: nothing waits
/// for a server that may hang.
enum Held<DB: Database> {
    Own(Option<Box<DB::Connection>>),
    Lent(Option<PoolConnection<DB>>),
}

impl<DB: Database> Held<DB> {
    /// None once it was closed.
    fn get(&mut self) -> Option<&mut DB::Connection> {
        match self {
            Self::Own(connection) => connection.as_deref_mut(),
            Self::Lent(connection) => connection.as_deref_mut(),
        }
    }

    /// Tells the server that this is the end.
    async fn close(mut self) -> Result<(), sqlx::Error> {
        match &mut self {
            Self::Own(connection) => match connection.take() {
                Some(connection) => connection.close().await,
                None => Ok(()),
            },
            Self::Lent(connection) => match connection.take() {
                Some(connection) => connection.close().await,
                None => Ok(()),
            },
        }
    }
}

impl<DB: Database> Drop for Held<DB> {
    fn drop(&mut self) {
        if let Self::Lent(connection) = self
            && let Some(connection) = connection.take()
        {
            // Else it would go back to the pool with our settings, by a task of a runtime that may
            // be gone.
            drop(connection.detach());
        }
    }
}

/// The connections of one store.
pub(crate) struct Connections<DB: Database> {
    source: Source<DB>,
    kept: Mutex<Vec<(Held<DB>, Instant)>>,
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
pub(crate) struct Lease<'a, DB: Prepare> {
    connection: Option<Held<DB>>,
    home: &'a Connections<DB>,
    _permit: SemaphorePermit<'a>,
}

impl<DB: Prepare> Connections<DB> {
    pub(crate) fn new(source: Source<DB>, settings: &SqlSettings) -> Self {
        Self {
            source,
            kept: Mutex::default(),
            permits: Semaphore::new(settings.connections as usize),
            timeout: settings.timeout,
            place: settings.place(),
            round_trips: AtomicU64::new(0),
            counters: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Held<DB>, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
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
            if idle < TRUSTED_IDLE || lease.get()?.ping().await.is_ok() {
                return Ok(lease);
            }
            lease.connection = None;
        }
        lease.connection = Some(match &self.source {
            Source::Server(options) => Held::Own(Some(Box::new(options.connect().await?))),
            Source::Pool(pool) => Held::Lent(Some(pool.acquire().await?)),
        });
        DB::prepare(lease.get()?, self.timeout).await?;
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
                // What broke one connection has most likely broken all; and a server that became
                // a replica refuses writes on the old ones for ever.
                self.kept().clear();
                Err(CallError::Failed(error))
            }
            Err(_) => {
                self.kept().clear();
                Err(CallError::Hung(self.timeout))
            }
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
            for (held, _) in kept {
                if let Err(error) = held.close().await {
                    tracing::debug!(%error, "the end of a connection was not heard");
                }
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

    /// The connection itself.
    pub(crate) fn get(&mut self) -> Result<&mut DB::Connection, sqlx::Error> {
        let held = self.connection.as_mut().and_then(Held::get);
        held.ok_or(sqlx::Error::PoolClosed)
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
        StoreError::Io(format!("the database {place}: {}", self.told()))
    }

    /// What happened, in words.
    pub(crate) fn told(&self) -> String {
        let error = match self {
            Self::Failed(error) => error,
            Self::Hung(after) => return format!("no answer within {after:?}"),
        };
        // The driver would add where in the server's own code this was.
        match error.as_database_error() {
            Some(told) => match told.code() {
                Some(code) => format!("{} ({code})", told.message()),
                None => told.message().to_owned(),
            },
            None => error.to_string(),
        }
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
