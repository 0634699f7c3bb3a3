//! Many workers, one broker, one database: the same shards as on one machine, each a partition with
//! one owner.

mod clock;
pub(crate) mod connection;
mod desk;
mod engine;
mod fleet;
mod inbox;
pub(crate) mod link;
pub mod memory;
pub(crate) mod node;
mod outbox;
mod partition;
mod parts;
pub mod plan;
mod settle;
#[doc(hidden)]
pub mod simulate;
pub mod store;
mod stuck;
pub mod transport;
mod unwanted;
mod view;
mod wire;
mod writer;

pub use node::ClusterSettings;
