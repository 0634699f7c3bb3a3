//! Timers that ring: of workflow code, of pauses between attempts and tries, of callers' limits.

use super::{Step, stop, turn};
use crate::effect::Effect;
use crate::instance::OpenKind;
use crate::message::{TimerKey, TimerKind};
use crate::outcome::Outcome;

/// A timer rings. One that comes early is armed again; one that nobody waits for is ignored.
pub(super) fn due(step: &mut Step, timer: TimerKey) {
    match timer.kind {
        TimerKind::TurnRetry => stop::retry_due(step),
        TimerKind::Timer | TimerKind::Backoff | TimerKind::Deadline => of_command(step, timer),
    }
}

fn of_command(step: &mut Step, timer: TimerKey) {
    let TimerKey { id, kind } = timer;
    let Some(open) = step.instance.open(id) else {
        return;
    };
    let due = match (kind, &open.kind) {
        (TimerKind::Timer, OpenKind::Timer { due }) => Some(*due),
        (TimerKind::Backoff, OpenKind::Task(task)) => task.attempts.due,
        (TimerKind::Backoff, OpenKind::Step(task)) => task.attempts.due,
        (TimerKind::Deadline, OpenKind::Task(task)) => task.deadline,
        (TimerKind::Timer, OpenKind::Task(_) | OpenKind::Step(_))
        | (TimerKind::Backoff, OpenKind::Timer { .. })
        | (TimerKind::Deadline, OpenKind::Timer { .. } | OpenKind::Step(_))
        | (TimerKind::TurnRetry, OpenKind::Timer { .. })
        | (TimerKind::TurnRetry, OpenKind::Task(_) | OpenKind::Step(_)) => None,
    };
    let Some(due) = due else { return };
    if due > step.now {
        step.effect(Effect::ArmTimer { timer, due });
        return;
    }
    match kind {
        TimerKind::Timer => turn::deliver(step, id.run, id.position, Outcome::Due),
        TimerKind::Backoff => turn::dispatch(step, id),
        TimerKind::Deadline => {
            let open = open.clone();
            turn::abandon(step, id.run, id.position, &open);
            turn::deliver(step, id.run, id.position, Outcome::TimedOut);
        }
        TimerKind::TurnRetry => {}
    }
}
