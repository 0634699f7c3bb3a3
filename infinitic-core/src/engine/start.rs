//! Starts: the first message of an instance, its repetitions, and messages to what does not exist.

use std::time::Duration;

use super::{Applied, Step};
use crate::effect::{Answer, Effect};
use crate::entry::Entry;
use crate::failure::{FailureKind, FailureRecord};
use crate::ids::{InstanceId, RequestId, RunNo};
use crate::instance::{Instance, VERSION_OPEN};
use crate::message::{Message, Start};
use crate::time::Timestamp;

/// A start older than this without a record is refused: its record may have been purged, and
/// running it again would double it. Shorter than any useful retention, longer than any sane
/// redelivery.
const DEDUPE_WINDOW: Duration = Duration::from_hours(24);

/// What a message to an instance without a record leads to.
pub(super) fn apply_to_nothing(id: InstanceId, message: Message, now: Timestamp) -> Applied {
    let request = match message {
        Message::Start {
            start,
            started,
            ended,
        } => return begin(id, *start, started, ended, now),
        Message::ClientWaits { request }
        | Message::Inspect { request }
        | Message::Query { request, .. } => Some(request),
        Message::Cancel { request, .. }
        | Message::RetryTurn { request, .. }
        | Message::RetryTasks { request, .. }
        | Message::CompleteTimers { request }
        | Message::CallMethod { request, .. }
        | Message::StartFrom { request, .. }
        | Message::Pause { request }
        | Message::Resume { request } => request,
        Message::Signal { .. }
        | Message::AttemptEnded { .. }
        | Message::Delegated { .. }
        | Message::Heartbeat { .. }
        | Message::DelegatedCompleted { .. }
        | Message::RemoteEnded { .. }
        | Message::TurnEnded { .. }
        | Message::TurnFailed { .. }
        | Message::Settled { .. }
        | Message::TimerDue { .. }
        | Message::FanOutPage { .. }
        | Message::Schedule { .. }
        | Message::Recovered { .. }
        | Message::Redeliver { .. }
        | Message::RetentionDue => None,
    };
    let failure = FailureRecord::new(
        FailureKind::UnknownInstance,
        format!("there is no instance {id}, or its record was purged after the retention time"),
    );
    nothing(request, &failure)
}

fn nothing(requests: impl IntoIterator<Item = RequestId>, failure: &FailureRecord) -> Applied {
    let refused = |request| Effect::Answer {
        request,
        answer: Answer::Refused(Box::new(failure.clone())),
    };
    Applied {
        instance: None,
        entries: Vec::new(),
        effects: requests.into_iter().map(refused).collect(),
    }
}

fn begin(
    id: InstanceId,
    start: Start,
    started: Option<RequestId>,
    ended: Option<RequestId>,
    now: Timestamp,
) -> Applied {
    if now.since(id.drawn_at()) > DEDUPE_WINDOW {
        let failure = FailureRecord::new(
            FailureKind::Refused,
            format!(
                "the start of {id} is older than 24 hours and has no record: it may have run and \
                 been purged; start a new instance instead"
            ),
        );
        return nothing(started.into_iter().chain(ended), &failure);
    }
    let first = Entry::Started {
        workflow: start.workflow,
        version: start.version.unwrap_or(VERSION_OPEN),
        tags: start.tags,
        meta: start.meta,
    };
    let Some(mut instance) = Instance::begin(id, &first) else {
        return Applied {
            instance: None,
            entries: Vec::new(),
            effects: Vec::new(),
        };
    };
    instance.waiting.extend(ended);
    let mut step = Step {
        instance: Box::new(instance),
        entries: vec![first],
        effects: Vec::new(),
        now,
    };
    step.record(Entry::RunStarted {
        run: RunNo(0),
        method: start.method,
        args: start.args,
        at: now,
        properties: Vec::new(),
    });
    step.answer(started, Answer::Started { existing: false });
    step.effect(Effect::RunTurn {
        run: RunNo(0),
        delivery: None,
        replay: false,
    });
    step.finish(false)
}

/// A start that was sent twice: the instance is there, and the sender is told so.
pub(super) fn repeated(step: &mut Step, started: Option<RequestId>, ended: Option<RequestId>) {
    step.answer(started, Answer::Started { existing: true });
    if let Some(request) = ended {
        super::wait::client_waits(step, request);
    }
}
