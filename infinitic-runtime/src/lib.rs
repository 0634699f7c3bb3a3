//! Runtime of infinitic: contexts, client, worker loops and backends.

pub mod backend;
pub mod client;
pub mod clock;
pub mod contract;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod failure;
pub mod service;
pub mod worker;
pub mod workflow;
