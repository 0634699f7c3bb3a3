//! Messages that are not built yet are refused clearly, and disturb nothing.

use std::collections::BTreeSet;

use super::*;
use crate::names::ChannelName;

const REQUEST: RequestId = RequestId(5);

/// One of each message, with the request that it wants an answer to.
pub(super) fn every_message(instance: InstanceId) -> Vec<(Message, Option<RequestId>)> {
    let id = CommandId {
        instance,
        run: RUN,
        reopening: Reopening(0),
        position: Position(0),
    };
    let request = Some(REQUEST);
    let (method, channel) = (MethodName::known("m"), ChannelName::known("c"));
    let (args, value) = (json("[]"), json("1"));
    let outcome = Outcome::Value(value.clone());
    let attempt = Attempt(0);
    let asks = [
        start(request.map(|request| request.0), None),
        Message::StartFrom {
            source: instance,
            request,
        },
        Message::CallMethod {
            method: method.clone(),
            args: args.clone(),
            request,
        },
        Message::Query {
            method,
            args,
            request: REQUEST,
        },
        Message::Cancel { run: None, request },
        Message::RetryTurn { cut: None, request },
        Message::RetryTasks { cut: None, request },
        Message::CompleteTimers { request },
        Message::ClientWaits { request: REQUEST },
        Message::Inspect { request: REQUEST },
        Message::Pause { request },
        Message::Resume { request },
    ];
    let tells = [
        Message::Signal {
            channel,
            value: value.clone(),
        },
        Message::AttemptEnded {
            id,
            sequence: Sequence(0),
            attempt,
            result: AttemptResult::Value(value.clone()),
        },
        Message::Delegated { id, attempt },
        Message::Heartbeat {
            id,
            attempt,
            progress: value,
        },
        Message::DelegatedCompleted {
            id,
            outcome: outcome.clone(),
        },
        Message::RemoteEnded { id, outcome },
        turn_ended([]),
        fails_turn("panic", 20),
        Message::Settled { id },
        rings(TimerKind::Timer, id),
        Message::FanOutPage {
            after: Some(instance),
        },
        Message::Schedule {
            verb: "pause".to_owned(),
            at: T0,
        },
        Message::RetentionDue,
        Message::Recovered { cautious: true },
        Message::Redeliver {
            id,
            deliveries_max: 1,
        },
    ];
    let asks = asks.into_iter().map(|message| (message, request));
    asks.chain(tells.into_iter().map(|message| (message, None)))
        .collect()
}

#[test]
fn every_message_is_in_the_list() {
    let names: BTreeSet<String> = every_message(Scenario::nothing().id)
        .iter()
        .map(|(message, _)| format!("{:?}", std::mem::discriminant(message)))
        .collect();
    assert_eq!(names.len(), 27, "one of each variant of `Message`");
}

/// What is refused, and how it is called. A variant that is added must be answered here.
fn unavailable(message: &Message) -> Option<&'static str> {
    match message {
        Message::CallMethod { .. } => Some("calling a method"),
        Message::Query { .. } => Some("a read-only method"),
        Message::StartFrom { .. } => Some("a start from a history"),
        Message::CompleteTimers { .. } => Some("completing timers"),
        Message::Pause { .. } => Some("pause"),
        Message::Resume { .. } => Some("resume"),
        Message::Start { .. }
        | Message::Signal { .. }
        | Message::AttemptEnded { .. }
        | Message::Delegated { .. }
        | Message::Heartbeat { .. }
        | Message::DelegatedCompleted { .. }
        | Message::RemoteEnded { .. }
        | Message::TurnEnded { .. }
        | Message::Settled { .. }
        | Message::TimerDue { .. }
        | Message::Cancel { .. }
        | Message::RetryTurn { .. }
        | Message::RetryTasks { .. }
        | Message::ClientWaits { .. }
        | Message::Inspect { .. }
        | Message::FanOutPage { .. }
        | Message::Schedule { .. }
        | Message::RetentionDue
        | Message::Recovered { .. }
        | Message::Redeliver { .. }
        | Message::TurnFailed { .. } => None,
    }
}

#[test]
fn what_is_not_available_yet_is_refused_by_its_name() {
    for state in [Scenario::with([task("a")]), Scenario::with([end_ok()])] {
        let mut refused = 0;
        for (message, _) in every_message(state.id) {
            let Some(what) = unavailable(&message) else {
                continue;
            };
            let mut s = state.clone();
            let told = format!("tell 5: Refused: {what} is not available yet in this version");
            s.send(message).gives(&[], &[&told]);
            refused += 1;
        }
        assert_eq!(refused, 6);
    }
}

#[test]
fn nobody_is_told_who_did_not_ask() {
    let mut s = Scenario::with([task("a")]);
    s.ignores(Message::Pause { request: None });
    s.ignores(Message::Resume { request: None });
    s.ignores(Message::CompleteTimers { request: None });
    let source = s.id;
    s.ignores(Message::StartFrom {
        source,
        request: None,
    });
}

#[test]
fn messages_of_later_versions_disturb_nothing() {
    for state in [Scenario::with([task("a")]), Scenario::with([end_ok()])] {
        for (message, _) in every_message(state.id) {
            let later = matches!(
                message,
                Message::Signal { .. }
                    | Message::Delegated { .. }
                    | Message::Heartbeat { .. }
                    | Message::DelegatedCompleted { .. }
                    | Message::RemoteEnded { .. }
                    | Message::Settled { .. }
                    | Message::FanOutPage { .. }
                    | Message::Schedule { .. }
                    | Message::RetentionDue
            );
            if later {
                state.clone().ignores(message);
            }
        }
    }
}

#[test]
fn cancel_of_one_method_run_is_refused() {
    let mut s = Scenario::with([task("a")]);
    s.send(Message::Cancel {
        run: Some(RunNo(1)),
        request: Some(REQUEST),
    });
    s.gives(
        &[],
        &["tell 5: Refused: cancel of one run is not available yet in this version"],
    );
}
