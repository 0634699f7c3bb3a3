//! Cancel of an instance: its runs end as cancelled, what they had open is taken back.

use super::{Step, stop, turn};
use crate::effect::Answer;
use crate::entry::{Entry, Steering};
use crate::ids::{RequestId, RunNo};
use crate::instance::cancelled_failure;

/// Cancels the whole instance. What has ended stays as it is.
pub(super) fn cancel(step: &mut Step, run: Option<RunNo>, request: Option<RequestId>) {
    if run.is_some_and(|run| run != RunNo(0)) {
        step.unavailable(request, "cancel of one run");
        return;
    }
    if step.instance.status().is_ended() {
        step.answer(request, Answer::Done);
        return;
    }
    let open: Vec<_> = step
        .instance
        .runs
        .iter()
        .flat_map(|(run, state)| {
            state
                .open
                .iter()
                .map(|(position, open)| (*run, *position, open.clone()))
        })
        .collect();
    let live: Vec<RunNo> = step
        .instance
        .runs
        .iter()
        .filter(|(_, run)| run.result.is_none())
        .map(|(run, _)| *run)
        .collect();
    stop::drop_alarm(step);
    let at = step.now;
    step.record(Entry::Steered {
        steering: Steering::CancelRequested,
        at,
    });
    for (run, position, open) in open {
        turn::abandon(step, run, position, &open);
    }
    let failure = cancelled_failure(&step.instance);
    for run in live {
        turn::end_run(step, run, Err(failure.clone()));
    }
    step.answer(request, Answer::Done);
}
