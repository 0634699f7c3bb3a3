//! Why a worker cannot run.

use crate::backend::StoreError;
use crate::cluster::transport::TransportError;
use crate::service::HostError;

/// Why a worker cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The data directory cannot be opened.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    Open(#[from] crate::embedded::OpenError),
    /// The configuration cannot be used.
    #[cfg(feature = "config")]
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// What the store holds cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The broker cannot be used.
    #[error("the broker cannot be used: {0}")]
    Broker(#[from] TransportError),
    /// The same workflow was hosted twice.
    #[error(
        "workflow `{workflow}` version {version} is hosted twice; give each a version of its own"
    )]
    WorkflowTwice {
        /// Its name.
        workflow: String,
        /// Its version.
        version: u32,
    },
    /// The same task was hosted twice.
    #[error(transparent)]
    ServiceTwice(#[from] HostError),
    /// A format was asked for that this release does not write.
    #[error("`write_format`: {0}")]
    Format(#[from] infinitic_core::codec::UnknownFormat),
    /// The operating system refused something that a worker needs.
    #[error("{what}: {reason}")]
    System {
        /// What was refused.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// The local endpoint cannot be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something was hosted after the worker had begun to work.
    #[error("`{0}` must be called before `client()` and `run()`")]
    TooLate(&'static str),
}
