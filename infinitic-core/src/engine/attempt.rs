//! Attempts of tasks and steps: how they end, and whether another one follows.

use std::time::Duration;

use super::{Step, turn};
use crate::effect::Effect;
use crate::entry::Entry;
use crate::failure::FailureRecord;
use crate::ids::{Attempt, CommandId, Sequence};
use crate::instance::OpenKind;
use crate::message::{AttemptResult, TimerKey, TimerKind};
use crate::outcome::Outcome;

/// An attempt ended. Outcomes of an old attempt, sequence or reopening change nothing.
pub(super) fn ended(
    step: &mut Step,
    id: CommandId,
    sequence: Sequence,
    attempt: Attempt,
    result: AttemptResult,
) {
    let Some(open) = step.instance.open(id) else {
        return;
    };
    let Some(attempts) = open.kind.attempts() else {
        return;
    };
    if open.sequence != sequence || attempts.current != attempt {
        return;
    }
    let previous = attempts.previous.clone();
    let deadline = match &open.kind {
        OpenKind::Task(task) => task.deadline,
        OpenKind::Step(_) | OpenKind::Timer { .. } => None,
    };
    let outcome = match result {
        AttemptResult::Value(value) => Outcome::Value(value),
        AttemptResult::Failed {
            failure,
            retry_after_ms: Some(pause),
        } => {
            again(step, id, attempt, failure, pause, None);
            return;
        }
        AttemptResult::FailedWithMeta {
            failure,
            retry_after_ms: pause,
            meta,
        } => {
            again(step, id, attempt, failure, pause, Some(meta));
            return;
        }
        AttemptResult::Failed {
            mut failure,
            retry_after_ms: None,
        } => {
            failure.previous = previous;
            Outcome::Failed(failure)
        }
    };
    if let Some(due) = deadline {
        let timer = TimerKey {
            id,
            kind: TimerKind::Deadline,
        };
        step.effect(Effect::DropTimer { timer, due });
    }
    turn::deliver(step, id.run, id.position, outcome);
}

/// Another attempt follows after a pause.
fn again(
    step: &mut Step,
    id: CommandId,
    attempt: Attempt,
    failure: Box<FailureRecord>,
    pause_ms: u64,
    meta: Option<Vec<(String, String)>>,
) {
    let CommandId { run, position, .. } = id;
    let due = step.now + Duration::from_millis(pause_ms);
    step.record(Entry::AttemptFailed {
        run,
        position,
        attempt,
        failure,
        due,
    });
    if let Some(meta) = meta {
        step.record(Entry::MetaChanged {
            run,
            position,
            meta,
        });
    }
    let timer = TimerKey {
        id,
        kind: TimerKind::Backoff,
    };
    step.effect(Effect::ArmTimer { timer, due });
}
