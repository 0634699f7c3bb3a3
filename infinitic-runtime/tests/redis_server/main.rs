//! What a Redis server may do to the store: crash, hang, fill up, refuse, forget. Each test starts
//! a server of its own; without `redis-server` on the machine they say that they were left out.
#![allow(clippy::unwrap_used)]

mod opening;
mod server;
mod trouble;
