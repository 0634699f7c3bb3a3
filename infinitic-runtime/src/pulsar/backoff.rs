//! Pauses between attempts, and how often trouble is told.

use std::time::{Duration, Instant};

use crate::clock;

/// Trouble that goes on is told again after so long.
const REMIND: Duration = Duration::from_secs(30);

/// Ends after a time: the limit of something else that is waited for, or a pause before something
/// is tried again.
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Pauses that double, each cut short by chance so that many processes do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    first: Duration,
    longest: Duration,
    told: Option<Instant>,
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            first,
            longest,
            told: None,
        }
    }

    /// For whatever waits for the broker: short enough not to be noticed after it is back, long
    /// enough not to keep it from coming back.
    pub(super) fn for_broker() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(3))
    }

    /// The next pause: between half and all of it.
    pub(super) fn draw(&mut self) -> Duration {
        let whole = self.next;
        self.next = (self.next * 2).min(self.longest);
        let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX).max(2);
        Duration::from_millis(millis / 2 + clock::random_bits() % (millis / 2 + 1))
    }

    /// Waits for the next pause.
    pub(super) async fn wait(&mut self) {
        pause(self.draw()).await;
    }

    /// Whether this trouble should be told: at first, and then now and again.
    pub(super) fn tell(&mut self) -> bool {
        let now = clock::monotonic();
        let due = self.told.is_none_or(|told| now - told >= REMIND);
        if due {
            self.told = Some(now);
        }
        due
    }

    /// It works again. True when trouble was told.
    pub(super) fn reset(&mut self) -> bool {
        self.next = self.first;
        self.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for whole in [100, 200, 350, 350] {
            let drawn = backoff.draw().as_millis();
            assert!((whole / 2..=whole).contains(&drawn), "{drawn} of {whole}");
        }
        assert!(backoff.tell());
        assert!(!backoff.tell());
        assert!(backoff.reset());
        assert!(!backoff.reset());
        assert!(backoff.draw().as_millis() <= 100);
    }
}
