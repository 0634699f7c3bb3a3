//! Many workers, one broker, one database: the same shards as on one machine, each a partition with
//! one owner.

mod partition;
pub mod plan;
pub mod store;
pub mod transport;
mod view;
mod wire;
