//! Runtime of infinitic: contexts, client, worker loops and backends.

#[doc(hidden)]
pub mod __private;
pub mod backend;
pub mod client;
pub mod clock;
pub mod cluster;
#[cfg(feature = "config")]
pub mod config;
pub mod contract;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod failure;
mod mailbox;
pub mod panics;
#[cfg(feature = "pulsar")]
pub mod pulsar;
pub mod service;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
pub mod store;
pub mod worker;
pub mod workflow;

/// The macros, under one name of their own: `service` and `workflow` are modules here.
pub mod macros {
    pub use infinitic_macros::{TaskError, join, select, service, workflow};
}
