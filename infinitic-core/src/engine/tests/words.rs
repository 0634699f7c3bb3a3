//! Entries and effects in words, as tests state them: `#1` is the command at position 1, `r`, `s`
//! and `a` number reopening, sequence and attempt, `+5` is a time.

use super::T0;
use crate::*;

fn at(time: Timestamp) -> String {
    match time {
        Timestamp::NEVER => "never".to_owned(),
        time => format!("+{}", time.since(T0).as_millis()),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(value) => format!("value {value:?}"),
        Outcome::Failed(failure) => format!("failed {}", failure.message),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Due => "due".to_owned(),
        other => format!("{other:?}"),
    }
}

fn result(result: &RunResult) -> String {
    match result {
        Ok(value) => format!("ok {value:?}"),
        Err(failure) => format!("failed {}", failure.message),
    }
}

fn steering(steering: &Steering) -> String {
    match steering {
        Steering::Stopped { explanation } => format!("stopped: {}", explanation.message),
        Steering::TurnRetried => "turn retried".to_owned(),
        Steering::CancelRequested => "cancel requested".to_owned(),
        Steering::TurnRetryPlanned { attempt, due } => {
            format!("turn a{attempt} failed, again {}", at(*due))
        }
        Steering::TurnTriedAgain => "turn tried again".to_owned(),
        other => format!("{other:?}"),
    }
}

fn kept(kept: &KeptCommand) -> String {
    let KeptCommand {
        position,
        reopening,
        sequence,
        attempt,
        command: _,
    } = kept;
    format!("#{position} r{reopening} s{sequence} a{attempt}")
}

pub(super) fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Started { workflow, .. } => format!("started {workflow}"),
        Entry::RunStarted { run, method, .. } => format!("run {run} of {method} started"),
        Entry::Command { command, .. } => command.describe(),
        Entry::Delivered {
            position,
            outcome: told,
            ..
        } => format!("#{position} {}", outcome(told)),
        Entry::AttemptFailed {
            position,
            attempt,
            failure,
            due,
            ..
        } => format!(
            "#{position} a{attempt} failed {}, again {}",
            failure.message,
            at(*due)
        ),
        Entry::AttemptRedelivered {
            position, attempt, ..
        } => format!("#{position} a{attempt} redelivered"),
        Entry::Reopened {
            outcomes_kept,
            commands_kept,
            open,
            ..
        } => {
            let open: Vec<String> = open.iter().map(kept).collect();
            let open = open.join(", ");
            format!("reopened, {commands_kept} commands, {outcomes_kept} outcomes, open [{open}]")
        }
        Entry::Steered { steering: how, .. } => steering(how),
        Entry::MetaChanged { position, meta, .. } => format!("#{position} meta {meta:?}"),
        Entry::RunEnded { result: with, .. } => format!("run ended {}", result(with)),
        other => format!("{other:?}"),
    }
}

fn alarm(timer: &TimerKey, due: Timestamp) -> String {
    let TimerKey { id, kind } = timer;
    format!("{kind:?} #{} r{} {}", id.position, id.reopening, at(due))
}

pub(super) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Started { existing: false } => "started".to_owned(),
        Answer::Started { existing: true } => "was started".to_owned(),
        Answer::Ended(with) => format!("ended {}", result(with)),
        Answer::Done => "done".to_owned(),
        Answer::State(state) => format!("{:?} {:?}", state.status, state.waits),
        Answer::Refused(failure) => format!("{:?}: {}", failure.kind, failure.message),
    }
}

pub(super) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::RunTurn {
            delivery: None,
            replay: false,
            ..
        } => "first turn".to_owned(),
        Effect::RunTurn {
            delivery: None,
            replay: true,
            ..
        } => "replay".to_owned(),
        Effect::RunTurn {
            delivery: Some((position, told, _)),
            replay,
            ..
        } => {
            assert!(!replay, "a delivery goes to the live future");
            format!("turn with #{position} {}", outcome(told))
        }
        Effect::DropRun { .. } => "drop run".to_owned(),
        Effect::DispatchTask(task) => {
            let TaskAttempt {
                id,
                sequence,
                attempt,
                ..
            } = &**task;
            format!(
                "task #{} r{} s{sequence} a{attempt}",
                id.position, id.reopening
            )
        }
        Effect::RunStep(step) => {
            let StepAttempt {
                id,
                sequence,
                attempt,
                ..
            } = &**step;
            format!(
                "step #{} r{} s{sequence} a{attempt}",
                id.position, id.reopening
            )
        }
        Effect::Suspect { id } => format!("suspect #{}", id.position),
        Effect::CancelAttempt { id, .. } => format!("cancel #{} r{}", id.position, id.reopening),
        Effect::ArmTimer { timer, due } => format!("arm {}", alarm(timer, *due)),
        Effect::DropTimer { timer, due } => format!("drop {}", alarm(timer, *due)),
        Effect::Answer {
            request,
            answer: with,
        } => format!("tell {}: {}", request.0, answer(with)),
        Effect::EndInstance => "end instance".to_owned(),
        Effect::ReopenInstance => "reopen instance".to_owned(),
    }
}
