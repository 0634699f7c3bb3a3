//! Whether turns that cannot go on are tried again: the policies of tasks, asked by a shard.

use std::fmt;
use std::sync::Arc;

use infinitic_core::{FailureRecord, Instance};

use super::policy::{ExponentialRetry, RetryPolicy, whole_millis};
use crate::failure::Failure;
use crate::panics;

/// A retry policy for turns; see [`Worker::retry_turns`](crate::worker::Worker::retry_turns). Made
/// from an [`ExponentialRetry`] or a [`RetryPolicy`].
#[derive(Clone)]
pub struct TurnRetries(Policy);

#[derive(Clone)]
enum Policy {
    Exponential(ExponentialRetry),
    Custom(Arc<dyn RetryPolicy + Send + Sync>),
}

impl fmt::Debug for TurnRetries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("TurnRetries");
        match &self.0 {
            Policy::Exponential(retry) => tuple.field(retry),
            Policy::Custom(_) => tuple.field(&"custom"),
        };
        tuple.finish()
    }
}

impl From<ExponentialRetry> for TurnRetries {
    fn from(retry: ExponentialRetry) -> Self {
        Self(Policy::Exponential(retry))
    }
}

impl<P: RetryPolicy + Send + Sync + 'static> From<P> for TurnRetries {
    fn from(policy: P) -> Self {
        Self(Policy::Custom(Arc::new(policy)))
    }
}

impl TurnRetries {
    /// Milliseconds until the turn is tried again that just could not go on; none when it is not.
    ///
    /// Jitter is derived from the instance: instances differ, and a simulation repeats.
    pub(crate) fn delay_ms(&self, instance: &Instance, explanation: &FailureRecord) -> Option<u64> {
        let retry = instance.turn_retry.as_ref();
        let attempt = retry.map_or(0, |retry| retry.attempt.0);
        let asked = match &self.0 {
            Policy::Exponential(retry) => {
                // 53 bits are what a float holds.
                let bits = instance.id.mixed(u64::from(attempt)) >> 11;
                return retry.delay_ms(attempt, bits as f64 / (1_u64 << 53) as f64);
            }
            Policy::Custom(policy) => {
                let mut record = explanation.clone();
                if let Some(retry) = retry {
                    record.previous.clone_from(&retry.previous);
                }
                let failure = Failure::from_record(record);
                panics::capture(|| policy.delay(attempt, &failure))
            }
        };
        match asked {
            Ok(delay) => delay.map(whole_millis),
            Err(panic) => {
                let why = panic.message;
                tracing::error!(
                    instance = %instance.id,
                    "the retry policy for turns panicked, so the turn is not tried again: {why}"
                );
                None
            }
        }
    }
}
