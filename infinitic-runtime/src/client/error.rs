//! What may go wrong between a client and a worker.

use infinitic_core::{FailureKind, FailureRecord};

/// Why a client's request has no answer, or not the one that was wanted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The worker has stopped. What was acknowledged is durable; ask again when it runs.
    #[error("the worker has stopped; what it acknowledged is durable: ask again when it runs")]
    Closed,
    /// The limit given with `.timeout(…)` ran out. The instance goes on; the wait may be repeated.
    #[error("no answer within {0:?}; the instance goes on, and the wait may be repeated")]
    TimedOut(std::time::Duration),
    /// The worker refused, and says why.
    #[error("{}", .0.message)]
    Refused(Box<FailureRecord>),
    /// The arguments do not encode.
    #[error("{0}")]
    Arguments(String),
    /// The worker cannot be reached at its address.
    #[error("cannot reach the worker at {address}: {reason}")]
    Unreachable {
        /// The address.
        address: String,
        /// What the operating system said.
        reason: String,
    },
    /// The configuration cannot be used.
    #[cfg(feature = "config")]
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The other side speaks another version of the protocol.
    #[error("{0}")]
    Protocol(String),
}

impl ClientError {
    /// The error as a recorded failure, for waits that give `Failure`.
    pub(crate) fn into_record(self) -> FailureRecord {
        match self {
            Self::Refused(record) => *record,
            Self::TimedOut(_) => FailureRecord::new(FailureKind::TimedOut, self.to_string()),
            #[cfg(feature = "config")]
            Self::Config(_) => FailureRecord::new(FailureKind::Refused, self.to_string()),
            Self::Closed | Self::Arguments(_) | Self::Unreachable { .. } | Self::Protocol(_) => {
                FailureRecord::new(FailureKind::Refused, self.to_string())
            }
        }
    }
}
