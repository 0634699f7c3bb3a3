//! What only a Pulsar can do to us: topics that move, connections that break, owners that hang,
//! other programs' messages, rights.
//!
//! Those that need a broker are left out, loudly, unless `INFINITIC_PULSAR_URL` and
//! `INFINITIC_PULSAR_ADMIN_URL` say where there is one. Those that kill one start their own: they
//! are left out unless `INFINITIC_SERVERS` names the project's script `scripts/servers`.
#![cfg(feature = "pulsar")]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

mod broker;
mod faults;
mod hung;
mod outage;
mod rights;
mod rules;
mod support;
mod tls;
mod transient;
