//! After a start of the process: what was open is given out again.

use super::{Step, stop, turn};
use crate::effect::Effect;
use crate::entry::{Entry, Steering};
use crate::failure::{FailureKind, FailureRecord, Origin};
use crate::ids::{CommandId, Position, RunNo};
use crate::instance::{Attempts, Open, OpenKind};
use crate::outcome::Outcome;

/// Turns in a row during which the process may die before the instance is stopped. Two, because one
/// may be chance: somebody else's `kill -9` at that moment.
const DEADLY_TURNS_MAX: u32 = 2;

/// The instance was found open.
pub(super) fn recovered(step: &mut Step, cautious: bool) {
    let runs: Vec<RunNo> = step.instance.runs.keys().copied().collect();
    for run in runs {
        recover_run(step, run);
        let open: Vec<(Position, Box<Open>)> = step.instance.runs[&run]
            .open
            .iter()
            .map(|(position, open)| (*position, open.clone()))
            .collect();
        for (position, open) in open {
            let given_out = open
                .kind
                .attempts()
                .is_some_and(|attempts| attempts.pause_until(step.now).is_none());
            if given_out && cautious {
                let id = step.instance.command_id(run, position, &open);
                step.effect(Effect::Suspect { id });
            } else {
                turn::begin(step, run, position);
            }
        }
    }
}

/// Gives a suspect out again, alone and written down; or not any more.
pub(super) fn redeliver(step: &mut Step, id: CommandId, deliveries_max: u32) {
    let Some(open) = step.instance.open(id).cloned() else {
        return;
    };
    let Some(attempts) = open.kind.attempts() else {
        return;
    };
    if attempts.redeliveries >= deliveries_max {
        let failure = crashed(step, id, &open, attempts);
        turn::abandon(step, id.run, id.position, &open);
        turn::deliver(
            step,
            id.run,
            id.position,
            Outcome::Failed(Box::new(failure)),
        );
        return;
    }
    let attempt = attempts.current;
    step.record(Entry::AttemptRedelivered {
        run: id.run,
        position: id.position,
        attempt,
    });
    turn::begin(step, id.run, id.position);
}

/// Replays a run that cannot wait for its next outcome: one that stood still (the code may have
/// been mended), one whose turn was cut off, one whose live future must hold an open step.
fn recover_run(step: &mut Step, run: RunNo) {
    let state = &step.instance.runs[&run];
    if state.result.is_some() {
        return;
    }
    if state.deadly_turns >= DEADLY_TURNS_MAX {
        if step.instance.stopped.is_some() && step.instance.turn_retry_due().is_none() {
            return;
        }
        let explanation = Box::new(
            FailureRecord::new(
                FailureKind::Stopped,
                "the process died each time this turn ran (a stack overflow, an abort?); mend the \
                 workflow's code, then use retry_turn",
            )
            .at(step.origin()),
        );
        stop::stop(step, explanation);
        return;
    }
    if let Some(due) = step.instance.turn_retry_due() {
        // The pause goes on where it was: a process that starts again and again must not shorten
        // it.
        stop::arm(step, due);
        return;
    }
    let cut_off = state.deadly_turns > 0;
    if step.instance.stopped.is_some() {
        let at = step.now;
        step.record(Entry::Steered {
            steering: Steering::TurnRetried,
            at,
        });
        step.effect(Effect::RunTurn {
            run,
            delivery: None,
            replay: true,
        });
    } else if cut_off || step.instance.has_open_step() {
        step.effect(Effect::RunTurn {
            run,
            delivery: None,
            replay: true,
        });
    }
}

fn crashed(step: &Step, id: CommandId, open: &Open, attempts: &Attempts) -> FailureRecord {
    let origin = match &open.kind {
        OpenKind::Task(task) => Origin::Task {
            id,
            service: task.service.clone(),
            task: task.task.clone(),
            worker: String::new(),
            attempts: attempts.current.0 + 1,
        },
        OpenKind::Step(task) => Origin::Step {
            id,
            name: task.name.to_string(),
            attempts: attempts.current.0 + 1,
        },
        OpenKind::Timer { .. } => step.origin(),
    };
    let mut failure = FailureRecord::new(
        FailureKind::Crashed,
        format!(
            "the process died each time this attempt ran: at first, and after each of its {} \
             redeliveries",
            attempts.redeliveries
        ),
    )
    .at(origin);
    failure.previous.clone_from(&attempts.previous);
    failure
}
