//! What a user can do, as a user writes it: each test has one body that runs on every backend, with
//! warm futures and with every await replayed.
//!
//! `INFINITIC_BACKENDS=memory,embedded` and `INFINITIC_REPLAY=warm,always` choose among the
//! variants. Those on real servers are built with the feature `cluster`, and find the servers where
//! `scripts/servers env` says. How bodies are run is in [`env`], the services that most tests share
//! in [`lab`].
#![allow(clippy::unwrap_used)]

#[macro_use]
mod env;
mod lab;
mod logs;
#[cfg(feature = "cluster")]
mod servers;

mod attempts;
mod cancelling;
mod client;
mod combining;
mod concurrency;
#[cfg(feature = "config")]
mod configured;
mod contexts;
mod contracts;
mod deferreds;
mod ending;
mod errors;
mod fleets;
mod flows;
mod hosting;
mod mending;
mod meta;
mod recorded;
mod remote;
mod restarts;
mod steps;
mod timers;
mod turn_retries;
