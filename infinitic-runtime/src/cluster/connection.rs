//! The way to a broker and a database, made at the first use and shared by a worker and its
//! clients.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::store::{Pending, SharedStore};
use super::transport::{Transport, TransportError};
use crate::backend::StoreError;

/// Connects to a broker.
pub(crate) type MakeTransport =
    Box<dyn Fn() -> Pending<'static, Result<Arc<dyn Transport>, TransportError>> + Send + Sync>;
/// Connects to a database.
pub(crate) type MakeStore =
    Box<dyn Fn() -> Pending<'static, Result<Arc<dyn SharedStore>, StoreError>> + Send + Sync>;

/// What of broker and database is connected.
pub(crate) type Connected = (Option<Arc<dyn Transport>>, Option<Arc<dyn SharedStore>>);

/// Broker and database. Clients need no database.
pub(crate) struct Connection {
    make_transport: MakeTransport,
    make_store: Option<MakeStore>,
    transport: OnceCell<Arc<dyn Transport>>,
    store: OnceCell<Arc<dyn SharedStore>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("transport", &self.transport)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(make_transport: MakeTransport, make_store: Option<MakeStore>) -> Arc<Self> {
        Arc::new(Self {
            make_transport,
            make_store,
            transport: OnceCell::new(),
            store: OnceCell::new(),
        })
    }

    /// The broker.
    ///
    /// # Errors
    /// When it cannot be reached, or refuses.
    pub(crate) async fn transport(&self) -> Result<Arc<dyn Transport>, TransportError> {
        let transport = self.transport.get_or_try_init(&self.make_transport);
        transport.await.cloned()
    }

    /// The database.
    ///
    /// # Errors
    /// When it cannot be reached, or refuses, or none was named.
    pub(crate) async fn store(&self) -> Result<Arc<dyn SharedStore>, StoreError> {
        let Some(make) = &self.make_store else {
            return Err(StoreError::Refused(
                "no storage is configured; a worker that hosts workflows needs one: add `storage` \
                 to its configuration"
                    .to_owned(),
            ));
        };
        self.store.get_or_try_init(make).await.cloned()
    }

    /// Whether a database is configured.
    pub(crate) fn has_store(&self) -> bool {
        self.make_store.is_some()
    }

    /// What is connected by now.
    pub(crate) fn connected(&self) -> Connected {
        (self.transport.get().cloned(), self.store.get().cloned())
    }
}
