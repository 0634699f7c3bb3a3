//! The engine: one instance, one message, one time → new entries and effects.
//!
//! Total and pure: every message has an answer in every state, and one that is late, repeated or
//! stale leaves the state as it was. State changes only through [`Instance::evolve`], by entries.
//! This file lists the messages; each sibling is one family's rule.

// A new variant must not fall in silence into an arm that was written before it.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod attempt;
mod cancel;
mod recover;
mod reopen;
mod start;
mod stop;
mod timer;
mod turn;
mod wait;

pub use reopen::{Reopening, plan_retry_tasks, plan_retry_turn};

use crate::effect::{Answer, Effect};
use crate::entry::Entry;
use crate::failure::{FailureKind, FailureRecord, Origin};
use crate::ids::{InstanceId, RequestId};
use crate::instance::Instance;
use crate::message::Message;
use crate::time::Timestamp;

/// What a message led to.
#[derive(Debug)]
#[must_use = "the entries must be stored before the effects are carried out"]
pub struct Applied {
    /// The instance afterwards; nothing when there is none of that id.
    pub instance: Option<Box<Instance>>,
    /// What is to be stored, in order.
    pub entries: Vec<Entry>,
    /// What is to be done once the entries are durable, in order. `RunTurn` is done at once.
    pub effects: Vec<Effect>,
}

/// Applies a message to an instance.
///
/// `instance` is nothing when the store has no record of that id. `now` is the store's clock.
///
/// ```
/// use infinitic_core::{InstanceId, Message, Timestamp, engine};
/// let id = InstanceId::new(Timestamp::from_millis(1), 2, 3);
/// let late = Message::RetentionDue;
/// let applied = engine::apply(id, None, late, Timestamp::from_millis(5));
/// assert!(applied.instance.is_none() && applied.entries.is_empty());
/// ```
pub fn apply(
    id: InstanceId,
    instance: Option<Box<Instance>>,
    message: Message,
    now: Timestamp,
) -> Applied {
    let Some(instance) = instance else {
        return start::apply_to_nothing(id, message, now);
    };
    let was_ended = instance.status().is_ended();
    let now = now.max(instance.changed_at);
    let mut step = Step {
        instance,
        entries: Vec::new(),
        effects: Vec::new(),
        now,
    };
    match message {
        Message::Start {
            start: _,
            started,
            ended,
        } => start::repeated(&mut step, started, ended),
        Message::AttemptEnded {
            id,
            sequence,
            attempt,
            result,
        } => {
            attempt::ended(&mut step, id, sequence, attempt, result);
        }
        Message::TurnEnded { run, report } => turn::ended(&mut step, run, report),
        Message::TurnFailed {
            run,
            explanation,
            retry_after_ms,
        } => stop::failed(&mut step, run, explanation, retry_after_ms),
        Message::TimerDue { timer } => timer::due(&mut step, timer),
        Message::Cancel { run, request } => cancel::cancel(&mut step, run, request),
        Message::RetryTurn { cut, request } => reopen::retry_turn(&mut step, cut, request),
        Message::RetryTasks { cut, request } => reopen::retry_tasks(&mut step, cut, request),
        Message::ClientWaits { request } => wait::client_waits(&mut step, request),
        Message::Inspect { request } => wait::inspect(&mut step, request),
        Message::Recovered { cautious } => recover::recovered(&mut step, cautious),
        Message::Redeliver { id, deliveries_max } => {
            recover::redeliver(&mut step, id, deliveries_max);
        }
        Message::CallMethod { request, .. } => step.unavailable(request, "calling a method"),
        Message::Query { request, .. } => step.unavailable(Some(request), "a read-only method"),
        Message::StartFrom { request, .. } => step.unavailable(request, "a start from a history"),
        Message::CompleteTimers { request } => step.unavailable(request, "completing timers"),
        Message::Pause { request } => step.unavailable(request, "pause"),
        Message::Resume { request } => step.unavailable(request, "resume"),
        // Nobody sends these yet; a sender of a later version may, and must not disturb anything.
        Message::Signal { .. }
        | Message::Delegated { .. }
        | Message::Heartbeat { .. }
        | Message::DelegatedCompleted { .. }
        | Message::RemoteEnded { .. }
        | Message::Settled { .. }
        | Message::FanOutPage { .. }
        | Message::Schedule { .. }
        | Message::RetentionDue => {}
    }
    step.finish(was_ended)
}

/// One application under way.
struct Step {
    instance: Box<Instance>,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    now: Timestamp,
}

impl Step {
    fn record(&mut self, entry: Entry) {
        self.instance.evolve(&entry);
        self.entries.push(entry);
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn answer(&mut self, request: Option<RequestId>, answer: Answer) {
        if let Some(request) = request {
            self.effects.push(Effect::Answer { request, answer });
        }
    }

    fn refuse(&mut self, request: Option<RequestId>, why: impl Into<String>) {
        let failure = FailureRecord::new(FailureKind::Refused, why).at(self.origin());
        self.answer(request, Answer::Refused(Box::new(failure)));
    }

    fn unavailable(&mut self, request: Option<RequestId>, what: &str) {
        self.refuse(
            request,
            format!("{what} is not available yet in this version"),
        );
    }

    fn origin(&self) -> Origin {
        Origin::Instance {
            id: self.instance.id,
            workflow: self.instance.workflow.clone(),
        }
    }

    fn finish(mut self, was_ended: bool) -> Applied {
        let is_ended = self.instance.status().is_ended();
        if is_ended && !was_ended {
            self.effects.push(Effect::EndInstance);
        } else if was_ended && !is_ended {
            // Before any code runs: what a cautious turn commits must be found again.
            self.effects.insert(0, Effect::ReopenInstance);
        }
        Applied {
            instance: Some(self.instance),
            entries: self.entries,
            effects: self.effects,
        }
    }
}

#[cfg(test)]
mod tests;
