//! Many workers, one broker, one database: the same shards as on one machine, each a partition with
//! one owner.

pub mod memory;
pub mod store;
pub mod transport;
