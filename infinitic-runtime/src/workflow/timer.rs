//! Durable timers.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use infinitic_core::{Command, Position, Timestamp};

use super::recorder::{Recorder, WaitCell};

/// Waits for a duration, counted from the instant of the turn that first polls it. Survives
/// restarts, is exact to milliseconds and has no longest duration; zero ends at once, in its own
/// turn.
///
/// **Cancellation:** dropping it drops the timer.
///
/// # Panics
/// Outside workflow code.
///
/// ```ignore
/// select! {
///     receipt = payments.charge(card, total) => Some(receipt?),
///     _ = timer(Duration::from_hours(48)) => None,
/// }
/// ```
#[must_use = "a timer does nothing until it is awaited"]
#[track_caller]
pub fn timer(duration: Duration) -> Timer {
    Timer::new(Due::After(duration))
}

/// Waits for a point in time; one that is past ends at once. See [`timer`].
///
/// # Panics
/// Outside workflow code.
#[must_use = "a timer does nothing until it is awaited"]
#[track_caller]
pub fn timer_at(instant: Timestamp) -> Timer {
    Timer::new(Due::At(instant))
}

/// The wait for a point in time. Made by [`timer`] and [`timer_at`].
#[derive(Debug)]
#[must_use = "a timer does nothing until it is awaited"]
pub struct Timer {
    recorder: Arc<Recorder>,
    due: Due,
    location: &'static Location<'static>,
    wait: Option<(Position, Arc<WaitCell>)>,
    done: bool,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    After(Duration),
    At(Timestamp),
}

impl Timer {
    #[track_caller]
    fn new(due: Due) -> Self {
        let recorder = Recorder::current("a timer");
        Self {
            recorder,
            due,
            location: Location::caller(),
            wait: None,
            done: false,
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.wait.is_none() {
            let due = match self.due {
                Due::After(duration) => self.recorder.now() + duration,
                Due::At(instant) => instant,
            };
            let cell = Arc::new(WaitCell::default());
            let command = Command::StartTimer { due };
            let id = self
                .recorder
                .record_at(command, Some(Arc::clone(&cell)), self.location);
            self.wait = Some((id.position, cell));
        }
        let ended = self
            .wait
            .as_ref()
            .is_some_and(|(_, cell)| cell.poll(context.waker()).is_some());
        if !ended {
            return Poll::Pending;
        }
        self.done = true;
        Poll::Ready(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((position, _)) = &self.wait
            && !self.done
        {
            self.recorder.cancel(*position);
        }
    }
}
