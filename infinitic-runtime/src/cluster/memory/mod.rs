//! Broker and database of a cluster in one process: the references for their drivers, and what the
//! simulation runs on.

pub mod store;
