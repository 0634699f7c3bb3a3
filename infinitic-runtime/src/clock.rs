//! The only place that reads clocks and draws random numbers.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one door for time and chance"
)]

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use infinitic_core::{InstanceId, Timestamp};

/// The store's clock.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Milliseconds since the epoch. May jump; whoever needs order compares with what is recorded.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A stopwatch for pauses and limits of this process; never recorded.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// Sixty-four random bits from the operating system.
///
/// # Panics
/// When the operating system has no random numbers, which no supported one lacks.
#[must_use]
pub fn random_bits() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}

/// A new instance id.
pub(crate) fn draw_instance_id(now: Timestamp) -> InstanceId {
    let random = random_bits();
    let routing = (random_bits() & 0xffff) as u16;
    InstanceId::new(now, random, routing)
}
