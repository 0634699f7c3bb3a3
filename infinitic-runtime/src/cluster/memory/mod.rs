//! Broker and database of a cluster in one process: the references for their drivers, and what the
//! simulation runs on.

mod queue;
pub mod store;
pub mod transport;
