//! Databases that many workers share: drivers behind [`SharedStore`](crate::cluster::store), each
//! with a feature of its own.

#[cfg(feature = "redis")]
pub mod redis;
