//! The cluster's parts in one process, for tests with several workers.

mod queue;
pub mod transport;
