//! Retries and time limits of tasks and steps: as data, and as pure arithmetic.
//!
//! No clock and no randomness here: the number of the attempt and the random number are arguments.

use std::time::Duration;

use crate::failure::{Failure, RetryHint};

/// Attempts in all, unless told otherwise: the first one and eleven retries.
const ATTEMPTS_MAX: u32 = 12;
/// Pause after the first failed attempt, unless told otherwise.
const INITIAL_MS: u64 = 1_000;
/// Longest pause, in initial pauses, unless told otherwise.
const MAX_PER_INITIAL: u64 = 1_000;
/// Time that an attempt has for ending by itself after its time limit, unless told otherwise.
pub const GRACE_MS: u64 = 5_000;

/// Retries and time limit of each attempt of a task or step.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskPolicy {
    /// Whether and when failed attempts are tried again.
    pub retry: RetrySetting,
    /// Limit of one attempt in milliseconds; none when it is not set.
    pub timeout_ms: Option<u64>,
    /// Time for ending by itself once the limit ran out, or the task was cancelled, in
    /// milliseconds; [`GRACE_MS`] when it is not set.
    pub grace_ms: Option<u64>,
}

/// Whether and when failed attempts are tried again.
#[derive(Clone, Copy, Debug, Default)]
pub enum RetrySetting {
    /// Nothing is said: not, unless the error asks for it.
    #[default]
    Unset,
    /// Never, whatever the error asks.
    None,
    /// After growing pauses.
    Exponential(ExponentialRetry),
    /// As a policy of the user decides; it is built for each decision.
    Custom(fn() -> Box<dyn RetryPolicy>),
}

/// A retry policy of the user.
///
/// ```
/// use std::time::Duration;
/// use infinitic_runtime::failure::Failure;
/// use infinitic_runtime::service::RetryPolicy;
///
/// struct Twice;
/// impl RetryPolicy for Twice {
///     fn delay(&self, attempt: u32, _failure: &Failure) -> Option<Duration> {
///         (attempt < 2).then_some(Duration::from_millis(100))
///     }
/// }
/// ```
pub trait RetryPolicy {
    /// The pause before the next attempt; none ends the task with this failure.
    ///
    /// `attempt` is the number of the attempt that just failed, from 0; the failures of the earlier
    /// ones are in [`Failure::previous`].
    fn delay(&self, attempt: u32, failure: &Failure) -> Option<Duration>;
}

/// Pauses that grow by a factor, with some randomness so that what failed together is not tried
/// again together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialRetry {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// Pause after the first failed attempt, in milliseconds.
    pub initial_ms: u64,
    /// Longest pause in milliseconds; 1000 × `initial_ms` when it is not set.
    pub max_ms: Option<u64>,
    /// Share of the pause by which it is shortened or lengthened at random, 0 to 1. Applied before
    /// the longest pause is.
    pub jitter: f64,
    /// Factor from one pause to the next.
    pub coefficient: f64,
}

impl ExponentialRetry {
    /// 12 attempts, after 1 s, 2 s, 4 s … up to 1000 s, each ±50 %.
    pub const DEFAULT: Self = Self {
        max_attempts: ATTEMPTS_MAX,
        initial_ms: INITIAL_MS,
        max_ms: None,
        jitter: 0.5,
        coefficient: 2.0,
    };

    /// The pause after the failed attempt of that number (from 0), in milliseconds; none when it
    /// was the last one. `random` is in `0..1`.
    #[must_use]
    pub fn delay_ms(&self, attempt: u32, random: f64) -> Option<u64> {
        if !attempts_left(attempt, self.max_attempts) {
            return None;
        }
        let max_ms = self
            .max_ms
            .unwrap_or_else(|| self.initial_ms.saturating_mul(MAX_PER_INITIAL));
        let grown = self.initial_ms as f64 * self.coefficient.powf(f64::from(attempt));
        let jittered = grown * (1.0 + self.jitter * (2.0 * random - 1.0));
        // Float to integer conversion saturates, so that an overflow ends at the longest pause.
        Some((jittered.round() as u64).min(max_ms))
    }
}

impl Default for ExponentialRetry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn attempts_left(attempt: u32, max_attempts: u32) -> bool {
    attempt.saturating_add(1) < max_attempts
}

/// Parts of a millisecond count as one: a pause is never shorter than was asked.
pub(super) fn whole_millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl RetrySetting {
    /// The pause in milliseconds before the next attempt, after the failed one of that number (from
    /// 0); none when there is no next one.
    ///
    /// The error's hint `Never` always ends it. `AfterMs` sets the pause where the setting would
    /// try again; where nothing is set, it brings the default number of attempts with it.
    #[must_use]
    pub fn delay_ms(
        &self,
        hint: RetryHint,
        attempt: u32,
        failure: &Failure,
        random: f64,
    ) -> Option<u64> {
        let by_setting = || match self {
            Self::Unset => match hint {
                RetryHint::AfterMs(_) => ExponentialRetry::DEFAULT.delay_ms(attempt, random),
                RetryHint::Policy | RetryHint::Never => None,
            },
            Self::None => None,
            Self::Exponential(retry) => retry.delay_ms(attempt, random),
            Self::Custom(build) => build().delay(attempt, failure).map(whole_millis),
        };
        match hint {
            RetryHint::Never => None,
            RetryHint::Policy => by_setting(),
            RetryHint::AfterMs(pause) => by_setting().map(|_| pause),
        }
    }
}

impl TaskPolicy {
    /// What is set here, and `default` where nothing is.
    #[must_use]
    pub fn or(self, default: Self) -> Self {
        Self {
            retry: match self.retry {
                RetrySetting::Unset => default.retry,
                set => set,
            },
            timeout_ms: self.timeout_ms.or(default.timeout_ms),
            grace_ms: self.grace_ms.or(default.grace_ms),
        }
    }

    /// Limit of one attempt.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    /// Time for ending by itself once the limit ran out or the task was cancelled.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms.unwrap_or(GRACE_MS))
    }
}

#[cfg(test)]
mod tests {
    use infinitic_core::{FailureKind, FailureRecord};

    use super::*;

    const MIDDLE: f64 = 0.5;

    fn failure() -> Failure {
        Failure::from_record(FailureRecord::new(FailureKind::Failed, "busy"))
    }

    fn delay(setting: RetrySetting, hint: RetryHint, attempt: u32) -> Option<u64> {
        setting.delay_ms(hint, attempt, &failure(), MIDDLE)
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_end_after_twelve_attempts() {
        let retry = ExponentialRetry::DEFAULT;
        let pauses: Vec<_> = (0..13)
            .map(|attempt| retry.delay_ms(attempt, MIDDLE))
            .collect();
        assert_eq!(pauses[..3], [Some(1_000), Some(2_000), Some(4_000)]);
        assert_eq!(pauses[10], Some(1_000_000));
        assert_eq!(pauses[11..], [None, None]);
    }

    #[test]
    fn jitter_is_half_and_applied_before_the_cap() {
        let retry = ExponentialRetry::DEFAULT;
        assert_eq!(retry.delay_ms(0, 0.0), Some(500));
        assert_eq!(retry.delay_ms(0, 1.0), Some(1_500));
        let capped = ExponentialRetry {
            max_ms: Some(1_200),
            ..retry
        };
        assert_eq!(capped.delay_ms(0, 1.0), Some(1_200));
        assert_eq!(capped.delay_ms(1, 0.0), Some(1_000));
    }

    #[test]
    fn huge_numbers_saturate() {
        let retry = ExponentialRetry {
            max_attempts: u32::MAX,
            initial_ms: u64::MAX,
            ..ExponentialRetry::DEFAULT
        };
        assert_eq!(retry.delay_ms(u32::MAX - 2, 1.0), Some(u64::MAX));
        assert_eq!(retry.delay_ms(u32::MAX, 1.0), None);
    }

    #[test]
    fn hints_rank_below_settings() {
        use RetryHint::{AfterMs, Never, Policy};
        use RetrySetting::{Exponential, None as Off, Unset};
        let on = Exponential(ExponentialRetry {
            max_attempts: 2,
            ..ExponentialRetry::DEFAULT
        });
        assert_eq!(delay(Unset, Policy, 0), None);
        assert_eq!(delay(Unset, AfterMs(7), 0), Some(7));
        assert_eq!(delay(Unset, AfterMs(7), 10), Some(7));
        assert_eq!(delay(Unset, AfterMs(7), 11), None);
        assert_eq!(delay(Off, AfterMs(7), 0), None);
        assert_eq!(delay(on, AfterMs(7), 0), Some(7));
        assert_eq!(delay(on, AfterMs(7), 1), None);
        assert_eq!(delay(on, Policy, 0), Some(1_000));
        assert_eq!(delay(on, Never, 0), None);
    }

    #[test]
    fn a_policy_of_the_user_sees_attempt_and_failure() {
        struct WhileBusy;
        impl RetryPolicy for WhileBusy {
            fn delay(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
                (failure.message() == "busy" && attempt < 3)
                    .then(|| Duration::from_micros(1_500 * u64::from(attempt)))
            }
        }
        let setting = RetrySetting::Custom(|| Box::new(WhileBusy));
        assert_eq!(delay(setting, RetryHint::Policy, 1), Some(2));
        assert_eq!(delay(setting, RetryHint::Policy, 2), Some(3));
        assert_eq!(delay(setting, RetryHint::Policy, 3), None);
        assert_eq!(delay(setting, RetryHint::AfterMs(9), 2), Some(9));
    }

    #[test]
    fn what_is_set_on_the_method_wins() {
        let method = TaskPolicy {
            timeout_ms: Some(1),
            ..TaskPolicy::default()
        };
        let impl_block = TaskPolicy {
            retry: RetrySetting::None,
            timeout_ms: Some(2),
            grace_ms: Some(3),
        };
        let both = method.or(impl_block);
        assert!(matches!(both.retry, RetrySetting::None));
        assert_eq!((both.timeout_ms, both.grace_ms), (Some(1), Some(3)));
    }
}
