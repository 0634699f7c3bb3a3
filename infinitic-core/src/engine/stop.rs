//! Code that cannot go on: its instance stands still, until a policy, a person or a start of the
//! process lets the turn run again.

use std::time::Duration;

use super::{Step, turn};
use crate::effect::Effect;
use crate::entry::{Entry, Steering};
use crate::failure::FailureRecord;
use crate::ids::{Position, RunNo};
use crate::instance::OpenKind;
use crate::message::TimerKey;
use crate::time::Timestamp;

/// A turn cannot go on, and is tried again after a pause.
pub(super) fn failed(
    step: &mut Step,
    run: RunNo,
    explanation: Box<FailureRecord>,
    retry_after_ms: u64,
) {
    let is_live = |run: &RunNo| {
        let run = step.instance.runs.get(run);
        run.is_some_and(|run| run.result.is_none())
    };
    if !is_live(&run) {
        return;
    }
    stop(step, explanation);
    let retry = step.instance.turn_retry.as_ref();
    let attempt = retry.map(|retry| retry.attempt).unwrap_or_default();
    let due = step.now + Duration::from_millis(retry_after_ms);
    steer(step, Steering::TurnRetryPlanned { attempt, due });
    arm(step, due);
}

/// The instance stands still from here on. A pause that was under way is void.
pub(super) fn stop(step: &mut Step, mut explanation: Box<FailureRecord>) {
    drop_alarm(step);
    if let Some(retry) = &step.instance.turn_retry {
        explanation.previous.clone_from(&retry.previous);
    }
    steer(step, Steering::Stopped { explanation });
}

/// The pause before another try is over. A ring that comes early is armed again; one that nobody
/// waits for is ignored.
pub(super) fn retry_due(step: &mut Step) {
    let Some(due) = step.instance.turn_retry_due() else {
        return;
    };
    if due > step.now {
        arm(step, due);
        return;
    }
    steer(step, Steering::TurnTriedAgain);
    run_again(step);
}

/// Runs the code again, from its history. What a step runs is known by then.
pub(super) fn run_again(step: &mut Step) {
    let live = step.instance.runs.iter();
    let runs: Vec<RunNo> = live
        .filter(|(_, run)| run.result.is_none())
        .map(|(run, _)| *run)
        .collect();
    for run in runs {
        step.effect(Effect::RunTurn {
            run,
            delivery: None,
            replay: true,
        });
        give_steps_out(step, run);
    }
}

/// Gives the open steps of a run out again: an attempt that came due while the code stood still
/// found no live future to run in. One that is running is known to its executor, which ignores the
/// second.
fn give_steps_out(step: &mut Step, run: RunNo) {
    let open = step.instance.runs[&run].open.iter();
    let steps: Vec<Position> = open
        .filter(|(_, open)| match open.kind {
            OpenKind::Step(_) => true,
            OpenKind::Task(_) | OpenKind::Timer { .. } => false,
        })
        .map(|(position, _)| *position)
        .collect();
    for position in steps {
        turn::begin(step, run, position);
    }
}

/// Rings when the turn is to be tried again.
pub(super) fn arm(step: &mut Step, due: Timestamp) {
    let timer = TimerKey::of_turn(step.instance.id);
    step.effect(Effect::ArmTimer { timer, due });
}

/// Does not ring any more, if it was to.
pub(super) fn drop_alarm(step: &mut Step) {
    if let Some(due) = step.instance.turn_retry_due() {
        let timer = TimerKey::of_turn(step.instance.id);
        step.effect(Effect::DropTimer { timer, due });
    }
}

fn steer(step: &mut Step, steering: Steering) {
    let at = step.now;
    step.record(Entry::Steered { steering, at });
}
