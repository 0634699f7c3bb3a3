//! Going on after a stop or a failed end: `retry_turn`, `retry_tasks`.
//!
//! A reopened run keeps its history up to a cut, and voids what followed. Where to cut is read from
//! the history, which the engine does not hold: the caller plans with [`plan_retry_tasks`] or
//! [`plan_retry_turn`], and sends the finished cut along with the message.

use super::{Step, stop, turn};
use crate::effect::{Answer, Effect};
use crate::entry::{Entry, KeptCommand, Steering};
use crate::failure::{FailureRecord, Origin};
use crate::history::{DeliveredOutcome, RunHistory};
use crate::ids::{Attempt, Position, RequestId, RunNo, Sequence};
use crate::instance::{OpenKind, is_failed};
use crate::message::Cut;

/// A plan for a reopening: how many outcomes stay. The commands that stay are those that the code
/// asks for when it is replayed up to there; the caller replays and calls [`Reopening::cut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reopening {
    /// The run.
    pub run: RunNo,
    /// How many outcomes stay.
    pub outcomes_kept: u32,
    /// Failed tasks after the cut are started anew rather than told again.
    restart_failed: bool,
}

/// Plans `retry_tasks` for a failed run: cut at the task by which it failed. Nothing when no failed
/// task stands in its history.
#[must_use]
pub fn plan_retry_tasks(run: RunNo, history: &RunHistory) -> Option<Reopening> {
    let culprit = history
        .result
        .as_ref()
        .and_then(|result| result.as_ref().err());
    let culprit = culprit.and_then(|failure| failed_task(failure));
    let failed = |(_, delivered): &(usize, &DeliveredOutcome)| {
        is_failed(&delivered.outcome) && !delivered.late
    };
    let index = history
        .outcomes
        .iter()
        .enumerate()
        .filter(failed)
        .find(|(_, delivered)| Some(delivered.position) == culprit)
        .or_else(|| history.outcomes.iter().enumerate().rfind(failed))?
        .0;
    let outcomes_kept = u32::try_from(index).ok()?;
    Some(Reopening {
        run,
        outcomes_kept,
        restart_failed: true,
    })
}

/// Plans `retry_turn` for a failed run: its last turn runs again. Nothing for a run that has not
/// failed: code that stands still tries again without a cut.
#[must_use]
pub fn plan_retry_turn(run: RunNo, history: &RunHistory) -> Option<Reopening> {
    if !history.result.as_ref().is_some_and(Result::is_err) {
        return None;
    }
    let seen = history.outcomes.iter().filter(|told| !told.late).count();
    let outcomes = u32::try_from(seen).ok()?;
    Some(Reopening {
        run,
        outcomes_kept: outcomes.saturating_sub(1),
        restart_failed: false,
    })
}

/// The place of the task by which a run failed, as its failure's chain of causes names it.
fn failed_task(failure: &FailureRecord) -> Option<Position> {
    let mut failure = Some(failure);
    while let Some(record) = failure {
        match &record.origin {
            Some(Origin::Task { id, .. } | Origin::Step { id, .. }) => return Some(id.position),
            Some(Origin::Instance { .. }) | None => failure = record.cause.as_deref(),
        }
    }
    None
}

impl Reopening {
    /// The finished cut. `commands_kept` is how many commands the code had asked when it had seen
    /// the outcomes that stay.
    #[must_use]
    pub fn cut(self, history: &RunHistory, commands_kept: u32) -> Cut {
        let is_kept = |position: Position| position.0 < commands_kept;
        // Changed code may ask something else before it comes here. The outcome of a command that
        // goes must go too: its place will be another command's.
        let outcomes_kept = history
            .outcomes
            .iter()
            .take(self.outcomes_kept as usize)
            .take_while(|told| is_kept(told.position))
            .count();
        let (kept, later) = history.outcomes.split_at(outcomes_kept);
        let commands = &history.commands[..(commands_kept as usize).min(history.commands.len())];
        let cancelled: Vec<Position> = commands
            .iter()
            .filter_map(|(_, command)| command.cancels())
            .collect();
        let mut open = Vec::new();
        for (index, (reopening, command)) in commands.iter().enumerate() {
            let position = Position(u32::try_from(index).expect("positions are u32"));
            let is_over = kept.iter().any(|delivered| delivered.position == position)
                || cancelled.contains(&position)
                || OpenKind::of(command, crate::Timestamp::default()).is_none();
            if is_over {
                continue;
            }
            open.push(KeptCommand {
                position,
                reopening: *reopening,
                // A number that no earlier sequence of this task had: outcomes of those, and of
                // cancelled steps, change nothing.
                sequence: Sequence(1 + history.reopening.0),
                attempt: Attempt(0),
                command: command.clone(),
            });
        }
        let redeliver = later
            .iter()
            .filter(|d| is_kept(d.position) && !(self.restart_failed && is_failed(&d.outcome)))
            .filter(|d| !cancelled.contains(&d.position))
            .map(|d| (d.position, d.outcome.clone()))
            .collect();
        Cut {
            run: self.run,
            outcomes_kept: u32::try_from(outcomes_kept).expect("no more than were planned"),
            commands_kept,
            open,
            redeliver,
        }
    }
}

/// Lets stopped code try again, or reopens a failed run at its last turn.
pub(super) fn retry_turn(step: &mut Step, cut: Option<Box<Cut>>, request: Option<RequestId>) {
    if step.instance.stopped.is_some() {
        stop::drop_alarm(step);
        let at = step.now;
        step.record(Entry::Steered {
            steering: Steering::TurnRetried,
            at,
        });
        stop::run_again(step);
        step.answer(request, Answer::Done);
        return;
    }
    reopen(
        step,
        cut,
        request,
        "its code does not stand still, and no run of it has failed",
    );
}

/// Starts failed tasks anew; a run that failed by them goes on.
pub(super) fn retry_tasks(step: &mut Step, cut: Option<Box<Cut>>, request: Option<RequestId>) {
    reopen(
        step,
        cut,
        request,
        "no failed task led to its end; mend the code and use retry_turn",
    );
}

fn reopen(step: &mut Step, cut: Option<Box<Cut>>, request: Option<RequestId>, why_not: &str) {
    let Some(cut) = cut else {
        step.refuse(request, format!("there is nothing to retry: {why_not}"));
        return;
    };
    // A cut that was planned for a longer history comes late: the run was reopened since.
    let has_failed = step.instance.runs.get(&cut.run).is_some_and(|run| {
        run.result.as_ref().is_some_and(Result::is_err)
            && cut.outcomes_kept <= run.outcomes
            && cut.commands_kept <= run.commands
    });
    if !has_failed || step.instance.cancelled {
        let why = if step.instance.cancelled {
            "it was cancelled"
        } else {
            why_not
        };
        step.refuse(request, format!("there is nothing to retry: {why}"));
        return;
    }
    let Cut {
        run,
        outcomes_kept,
        commands_kept,
        mut open,
        redeliver,
    } = *cut;
    take_back(step, run, &open);
    let goes_on = keep_open(step, run, &mut open);
    let positions: Vec<Position> = open.iter().map(|kept| kept.position).collect();
    let at = step.now;
    step.record(Entry::Reopened {
        run,
        outcomes_kept,
        commands_kept,
        open,
        at,
    });
    step.effect(Effect::DropRun { run });
    // The code sees what is told again in one replay: nothing new can come between.
    for (position, outcome) in redeliver {
        step.record(Entry::Delivered {
            run,
            position,
            outcome,
            at,
        });
    }
    step.effect(Effect::RunTurn {
        run,
        delivery: None,
        replay: true,
    });
    // After the replay: only then is there a live future with what a step runs.
    for position in positions {
        if !goes_on.contains(&position) {
            turn::begin(step, run, position);
        }
    }
    step.answer(request, Answer::Done);
}

/// Lets what is still open go on where it is. Answers what that is: it was given out or armed
/// before, and doing so again would only double it.
fn keep_open(step: &Step, run: RunNo, kept: &mut [KeptCommand]) -> Vec<Position> {
    let mut goes_on = Vec::new();
    for kept in kept {
        let Some(open) = step.instance.runs[&run].open.get(&kept.position) else {
            continue;
        };
        kept.sequence = open.sequence;
        kept.attempt = open.kind.attempts().map_or(kept.attempt, |it| it.current);
        goes_on.push(kept.position);
    }
    goes_on
}

/// Takes back running attempts that the reopening voids.
fn take_back(step: &mut Step, run: RunNo, kept: &[KeptCommand]) {
    let open: Vec<_> = step.instance.runs[&run]
        .open
        .iter()
        .filter(|(position, _)| !kept.iter().any(|kept| kept.position == **position))
        .map(|(position, open)| (*position, open.clone()))
        .collect();
    for (position, open) in open {
        turn::abandon(step, run, position, &open);
    }
}
