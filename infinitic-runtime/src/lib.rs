//! Runtime of infinitic: contexts, client, worker loops and backends.

pub mod backend;
#[cfg(feature = "embedded")]
pub mod embedded;
