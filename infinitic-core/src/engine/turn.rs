//! Turns: what workflow code asked for, and how its runs end.

use super::{Step, stop};
use crate::command::{Command, RunResult};
use crate::effect::{Answer, Effect, StepAttempt, TaskAttempt};
use crate::entry::Entry;
use crate::ids::{CommandId, Position, RunNo};
use crate::instance::{Attempts, Open, OpenKind};
use crate::message::{TimerKey, TimerKind, TurnReport};
use crate::outcome::Outcome;

/// A turn ended: record its commands and ask for what they ask for.
pub(super) fn ended(step: &mut Step, run: RunNo, report: TurnReport) {
    let Some(state) = step.instance.runs.get(&run) else {
        return;
    };
    if state.result.is_some() {
        return;
    }
    if let Some(explanation) = report.stopped {
        stop::stop(step, explanation);
        return;
    }
    for command in report.commands {
        if let Command::End { result } = command {
            end_run(step, run, result);
            return;
        }
        asked(step, run, command);
    }
}

fn asked(step: &mut Step, run: RunNo, command: Command) {
    let state = &step.instance.runs[&run];
    let position = Position(state.commands);
    let cancelled = command
        .cancels()
        .and_then(|position| Some((position, state.open.get(&position)?.clone())));
    step.record(Entry::Command { run, command });
    if let Some((position, open)) = cancelled {
        abandon(step, run, position, &open);
    }
    begin(step, run, position);
}

/// Asks for what an open command needs: its current attempt, or its alarm.
pub(super) fn begin(step: &mut Step, run: RunNo, position: Position) {
    let Some(open) = step
        .instance
        .runs
        .get(&run)
        .and_then(|run| run.open.get(&position))
    else {
        return;
    };
    let id = step.instance.command_id(run, position, open);
    let pause = |attempts: &Attempts| {
        let due = attempts.pause_until(step.now);
        due.map(|due| (TimerKind::Backoff, due))
    };
    let (due, deadline) = match &open.kind {
        OpenKind::Timer { due } => (Some((TimerKind::Timer, *due)), None),
        OpenKind::Task(task) => (pause(&task.attempts), task.deadline),
        OpenKind::Step(task) => (pause(&task.attempts), None),
    };
    if let Some(due) = deadline {
        step.effect(Effect::ArmTimer {
            timer: TimerKey {
                id,
                kind: TimerKind::Deadline,
            },
            due,
        });
    }
    match due {
        Some((kind, due)) => step.effect(Effect::ArmTimer {
            timer: TimerKey { id, kind },
            due,
        }),
        None => dispatch(step, id),
    }
}

/// Gives out the current attempt of a task or step.
pub(super) fn dispatch(step: &mut Step, id: CommandId) {
    let workflow = step.instance.workflow.clone();
    let Some(open) = step.instance.open(id) else {
        return;
    };
    let sequence = open.sequence;
    let effect = match &open.kind {
        OpenKind::Task(task) => Effect::DispatchTask(Box::new(TaskAttempt {
            id,
            sequence,
            attempt: task.attempts.current,
            service: task.service.clone(),
            task: task.task.clone(),
            args: task.args.clone(),
            options: task.options.clone(),
            workflow,
            last_failure: task.attempts.last_failure.clone(),
            previous: task.attempts.previous.clone(),
        })),
        OpenKind::Step(task) => Effect::RunStep(Box::new(StepAttempt {
            id,
            sequence,
            attempt: task.attempts.current,
            name: task.name.clone(),
            workflow,
            previous: task.attempts.previous.clone(),
            meta: task.meta.clone(),
        })),
        OpenKind::Timer { .. } => return,
    };
    step.effect(effect);
}

/// Takes back what an open command asked for: its attempt, its alarms.
pub(super) fn abandon(step: &mut Step, run: RunNo, position: Position, open: &Open) {
    let id = step.instance.command_id(run, position, open);
    let mut drop_timer = |kind, due| {
        step.effects.push(Effect::DropTimer {
            timer: TimerKey { id, kind },
            due,
        });
    };
    match &open.kind {
        OpenKind::Timer { due } => drop_timer(TimerKind::Timer, *due),
        OpenKind::Task(_) | OpenKind::Step(_) => {
            if let OpenKind::Task(task) = &open.kind
                && let Some(due) = task.deadline
            {
                drop_timer(TimerKind::Deadline, due);
            }
            if let Some(due) = open.kind.attempts().and_then(|attempts| attempts.due) {
                drop_timer(TimerKind::Backoff, due);
            }
            let service = match &open.kind {
                OpenKind::Task(task) => Some(task.service.clone()),
                OpenKind::Step(_) | OpenKind::Timer { .. } => None,
            };
            let attempts = open.kind.attempts();
            step.effects.push(Effect::CancelAttempt {
                id,
                sequence: open.sequence,
                attempt: attempts
                    .map(|attempts| attempts.current)
                    .unwrap_or_default(),
                service,
            });
        }
    }
}

/// Records how a wait ended, and lets the code see it unless its run is over or stands still.
pub(super) fn deliver(step: &mut Step, run: RunNo, position: Position, outcome: Outcome) {
    let at = step.now;
    let delivery = (position, outcome.clone(), at);
    step.record(Entry::Delivered {
        run,
        position,
        outcome,
        at,
    });
    let goes_on = step.instance.stopped.is_none()
        && step
            .instance
            .runs
            .get(&run)
            .is_some_and(|run| run.result.is_none());
    if goes_on {
        step.effect(Effect::RunTurn {
            run,
            delivery: Some(delivery),
            replay: false,
        });
    }
}

/// Ends a run: its callers are told, its timers and steps are dropped, its tasks go on.
pub(super) fn end_run(step: &mut Step, run: RunNo, mut result: RunResult) {
    if let Err(failure) = &mut result
        && failure.origin.is_none()
    {
        failure.origin = Some(step.origin());
    }
    let open: Vec<_> = step.instance.runs[&run]
        .open
        .iter()
        .map(|(position, open)| (*position, open.clone()))
        .collect();
    let at = step.now;
    step.record(Entry::RunEnded {
        run,
        result: result.clone(),
        at,
    });
    for (position, open) in open {
        if !step.instance.runs[&run].open.contains_key(&position) {
            abandon(step, run, position, &open);
        }
    }
    step.effect(Effect::DropRun { run });
    if run == RunNo(0) {
        for request in std::mem::take(&mut step.instance.waiting) {
            step.answer(Some(request), Answer::Ended(result.clone()));
        }
    }
}
