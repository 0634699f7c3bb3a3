//! Runtime of infinitic: contexts, client, worker loops and backends.

pub mod backend;
pub mod contract;
pub mod failure;
pub mod service;
