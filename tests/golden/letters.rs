//! One value of each message and answer, every field other than its default.

use infinitic_core::*;

use crate::samples::*;

/// A message, and to whom.
pub(crate) type Letter = (InstanceId, Message);

variants!(message_name, MESSAGES, Message: Start, StartFrom, CallMethod, Signal, Query,
    AttemptEnded, Delegated, Heartbeat, DelegatedCompleted, RemoteEnded, TurnEnded, Settled, TimerDue, Cancel,
    RetryTurn, RetryTasks, CompleteTimers, ClientWaits, Inspect, Pause, Resume, FanOutPage,
    Schedule, RetentionDue, Recovered, Redeliver, TurnFailed);
variants!(answer_name, ANSWERS, Answer: Started, Ended, Done, State, Refused);

pub(crate) fn messages() -> Vec<(&'static str, Letter)> {
    let mut samples = messages_of_clients();
    samples.extend(messages_of_workers());
    map(named(MESSAGES, message_name, samples), |message| {
        (instance(), message)
    })
}

fn messages_of_clients() -> Vec<Message> {
    let request = Some(RequestId(0x1_0000_0002));
    let cut = Some(Box::new(Cut {
        run: RunNo(1),
        outcomes_kept: 2,
        commands_kept: 4,
        open: vec![kept()],
        redeliver: vec![(Position(3), Outcome::Value(json("9")))],
    }));
    vec![
        Message::Start {
            start: Box::new(Start {
                workflow: workflow(),
                version: Some(2),
                method: method(),
                args: json("[1]"),
                tags: vec![text("order:42")],
                meta: pairs(),
                custom_id: Some(text("order-42")),
            }),
            started: request,
            ended: Some(RequestId(3)),
        },
        Message::StartFrom {
            source: other_instance(),
            request,
        },
        Message::CallMethod {
            method: method(),
            args: json("[2]"),
            request,
        },
        Message::Signal {
            channel: channel(),
            value: json("3"),
        },
        Message::Query {
            method: method(),
            args: json("[4]"),
            request: RequestId(5),
        },
        Message::Cancel {
            run: Some(RunNo(1)),
            request,
        },
        Message::RetryTurn {
            cut: cut.clone(),
            request,
        },
        Message::RetryTasks { cut, request },
        Message::CompleteTimers { request },
        Message::ClientWaits {
            request: RequestId(6),
        },
        Message::Inspect {
            request: RequestId(7),
        },
        Message::Pause { request },
        Message::Resume { request },
        Message::Schedule {
            verb: text("backfill"),
            at: at(8),
        },
        Message::DelegatedCompleted {
            id: command_id(),
            outcome: Outcome::Failed(failure()),
        },
    ]
}

fn messages_of_workers() -> Vec<Message> {
    let (id, attempt) = (command_id(), Attempt(2));
    let ended = |result| Message::AttemptEnded {
        id,
        sequence: Sequence(1),
        attempt,
        result,
    };
    let rings = |kind| Message::TimerDue {
        timer: TimerKey { id, kind },
    };
    vec![
        ended(AttemptResult::Value(json("1"))),
        ended(AttemptResult::Failed {
            failure: failure(),
            retry_after_ms: Some(1500),
        }),
        Message::Delegated { id, attempt },
        Message::Heartbeat {
            id,
            attempt,
            progress: json("0.5"),
        },
        Message::RemoteEnded {
            id,
            outcome: Outcome::Value(json("2")),
        },
        Message::TurnEnded {
            run: RunNo(1),
            report: TurnReport {
                commands: vec![call_task()],
                stopped: Some(failure()),
            },
        },
        Message::Settled { id },
        rings(TimerKind::Timer),
        rings(TimerKind::Backoff),
        rings(TimerKind::Deadline),
        Message::FanOutPage {
            after: Some(other_instance()),
        },
        Message::RetentionDue,
        Message::Recovered { cautious: true },
        Message::Redeliver {
            id,
            deliveries_max: 5,
        },
        rings(TimerKind::TurnRetry),
        ended(AttemptResult::FailedWithMeta {
            failure: failure(),
            retry_after_ms: 1500,
            meta: pairs(),
        }),
        Message::TurnFailed {
            run: RunNo(1),
            explanation: failure(),
            retry_after_ms: 1500,
        },
    ]
}

pub(crate) fn answers() -> Vec<(&'static str, Answer)> {
    let state = InstanceState {
        id: instance(),
        workflow: workflow(),
        version: 3,
        status: Status::Stopped,
        tags: vec![text("order:42")],
        started_at: at(3),
        changed_at: at(4),
        stopped: Some(failure()),
        waits: vec![text("timer")],
    };
    let samples = vec![
        Answer::Started { existing: true },
        Answer::Ended(Ok(json("1"))),
        Answer::Ended(Err(failure())),
        Answer::Done,
        Answer::State(Box::new(state)),
        Answer::Refused(failure()),
    ];
    named(ANSWERS, answer_name, samples)
}
