//! One value of each variant, every field other than its default.

use std::fmt::Debug;

use infinitic_core::codec::RowHeader;
use infinitic_core::names::{
    ChannelName, MethodName, PatchName, PropertyName, ServiceName, StepName, TaskName, WorkflowName,
};
use infinitic_core::*;

/// A history row.
pub(crate) type Row = (RowHeader, Vec<Entry>);

/// Names the variant of a value, and lists all names. A variant that is added does not compile
/// until it is listed, and what is listed must have a sample.
macro_rules! variants {
    ($function:ident, $all:ident, $type:ident: $($variant:ident),+ $(,)?) => {
        const $all: &[&str] = &[$(stringify!($variant)),+];

        fn $function(value: &$type) -> &'static str {
            match value {
                $($type::$variant { .. } => stringify!($variant),)+
            }
        }
    };
}

variants!(entry_name, ENTRIES, Entry: Started, RunStarted, Command, Delivered, PropertyChanged,
    AttemptFailed, AttemptRedelivered, Reopened, Settled, Steered, RunEnded, TurnMarked,
    MetaChanged);
variants!(command_name, COMMANDS, Command: CallTask, StartChild, CallMethod, SendSignal, StartTimer,
    OpenReceive, Inline, Step, SetProperty, Cancel, RegisterCompensation, Patch, ContinueWith, End);
variants!(outcome_name, OUTCOMES, Outcome: Value, Failed, TimedOut, Cancelled, UnknownInstance,
    StartRefused, Attached, Due, Signal, PropertiesChanged);
variants!(steering_name, STEERINGS, Steering: Stopped, TurnRetried, Paused, Resumed,
    CancelRequested, TimersCompleted, VersionChosen, TurnRetryPlanned, TurnTriedAgain);
variants!(status_name, STATUSES, Status: Running, Stopped, Completed, Failed, Cancelled);
/// Names samples after their variants, and checks that each has one. Further samples of a variant
/// are numbered: new ones go behind the old ones.
pub(crate) fn named<T: Debug>(
    all: &[&'static str],
    name: fn(&T) -> &'static str,
    samples: Vec<T>,
) -> Vec<(&'static str, T)> {
    let samples: Vec<(&'static str, T)> = samples
        .into_iter()
        .map(|value| (name(&value), value))
        .collect();
    for name in all {
        assert!(
            samples.iter().any(|(known, _)| known == name),
            "no sample of `{name}`"
        );
    }
    let mut seen = Vec::new();
    let numbered = samples.into_iter().map(|(name, value)| {
        let count = seen.iter().filter(|known| **known == name).count();
        seen.push(name);
        let name: &'static str = match count {
            0 => name,
            count => format!("{name}-{}", count + 1).leak(),
        };
        (name, value)
    });
    numbered.collect()
}

pub(crate) fn map<T, U>(
    samples: Vec<(&'static str, T)>,
    wrap: fn(T) -> U,
) -> Vec<(&'static str, U)> {
    let wrapped = samples.into_iter().map(|(name, value)| (name, wrap(value)));
    wrapped.collect()
}

pub(crate) fn instance() -> InstanceId {
    InstanceId::new(at(1), 0x0123_4567_89ab_cdef, 0xfedc)
}

pub(crate) fn other_instance() -> InstanceId {
    InstanceId::new(at(2), 0xfedc_ba98_7654_3210, 513)
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn command_id() -> CommandId {
    CommandId {
        instance: instance(),
        run: RunNo(1),
        reopening: Reopening(2),
        position: Position(300),
    }
}

pub(crate) fn json(text: &str) -> Payload {
    Payload::from_json(text.to_owned())
}

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn pairs() -> Vec<(String, String)> {
    vec![(text("Größe"), text("9 m²")), (text("b"), text("2"))]
}

fn service() -> ServiceName {
    ServiceName::known("Überweisung")
}

fn task() -> TaskName {
    TaskName::known("charge")
}

pub(crate) fn workflow() -> WorkflowName {
    WorkflowName::known("Orders")
}

pub(crate) fn method() -> MethodName {
    MethodName::known("start")
}

fn property() -> PropertyName {
    PropertyName::known("status")
}

pub(crate) fn channel() -> ChannelName {
    ChannelName::known("deliveries")
}

fn properties() -> Vec<(PropertyName, u64)> {
    vec![
        (property(), 70_000),
        (PropertyName::known("total"), 1 << 40),
    ]
}

fn options() -> CallOptions {
    CallOptions {
        tags: vec![text("order:42"), text("vip")],
        meta: pairs(),
        timeout_ms: Some(120_000),
        batch_key: Some(text("tenant-7")),
    }
}

pub(crate) fn failure() -> Box<FailureRecord> {
    let cause = FailureRecord {
        kind: FailureKind::TimedOut,
        name: text("Elapsed"),
        message: text("30 s are over"),
        error: Some(json(r#""Busy""#)),
        sources: vec![text("bank busy"), text("connection reset")],
        origin: Some(Origin::Step {
            id: command_id(),
            name: text("resize"),
            attempts: 4,
        }),
        cause: Some(Box::new(
            FailureRecord::new(FailureKind::Crashed, "died").at(Origin::Instance {
                id: other_instance(),
                workflow: workflow(),
            }),
        )),
        backtrace: Some(text("1: deep")),
        previous: vec![text("first")],
    };
    Box::new(FailureRecord {
        kind: FailureKind::Panicked,
        name: text("PaymentError"),
        message: text("declined: „nein“"),
        error: Some(json(r#"{"Declined":"no"}"#)),
        sources: vec![text("io")],
        origin: Some(Origin::Task {
            id: command_id(),
            service: service(),
            task: task(),
            worker: text("worker-1"),
            attempts: 5,
        }),
        cause: Some(Box::new(cause)),
        backtrace: Some(text("0: main")),
        previous: vec![text("one"), text("two")],
    })
}

pub(crate) fn kept() -> KeptCommand {
    KeptCommand {
        position: Position(3),
        reopening: Reopening(1),
        sequence: Sequence(2),
        attempt: Attempt(4),
        command: Command::Step {
            name: StepName::known("resize"),
        },
    }
}

fn header() -> RowHeader {
    RowHeader {
        status: Status::Stopped,
        commit: 0x1_0000_0001,
    }
}

fn row(entry: Entry) -> Row {
    (header(), vec![entry])
}

/// Rows without entries: one for each status, epochs of each length.
pub(crate) fn headers() -> Vec<(&'static str, Row)> {
    let samples = vec![
        Status::Running,
        Status::Stopped,
        Status::Completed,
        Status::Failed,
        Status::Cancelled,
    ];
    let named = named(STATUSES, status_name, samples);
    map(named, |status| {
        let commit = [7, 251, 70_000, 1 << 40, u64::MAX][status as usize];
        (RowHeader { status, commit }, Vec::new())
    })
}

pub(crate) fn entries() -> Vec<(&'static str, Row)> {
    let (run, position, attempt) = (RunNo(1), Position(300), Attempt(2));
    let samples = vec![
        Entry::Started {
            workflow: workflow(),
            version: 3,
            tags: vec![text("order:42")],
            meta: pairs(),
        },
        Entry::RunStarted {
            run,
            method: method(),
            args: json("[42]"),
            at: at(3),
            properties: properties(),
        },
        Entry::Command {
            run,
            command: Command::Inline { value: json("[]") },
        },
        Entry::Delivered {
            run,
            position,
            outcome: Outcome::Due,
            at: at(4),
        },
        Entry::PropertyChanged {
            name: property(),
            value: json("5"),
        },
        Entry::AttemptFailed {
            run,
            position,
            attempt,
            failure: failure(),
            due: at(5),
        },
        Entry::AttemptRedelivered {
            run,
            position,
            attempt,
        },
        Entry::Reopened {
            run,
            outcomes_kept: 2,
            commands_kept: 4,
            open: vec![kept()],
            at: at(6),
        },
        Entry::Settled { run, position },
        Entry::RunEnded {
            run,
            result: Ok(json("1")),
            at: at(8),
        },
        Entry::RunEnded {
            run,
            result: Err(failure()),
            at: at(9),
        },
        Entry::Steered {
            steering: Steering::Paused,
            at: at(7),
        },
        Entry::TurnMarked { run, done: true },
        Entry::MetaChanged {
            run,
            position,
            meta: pairs(),
        },
    ];
    map(named(ENTRIES, entry_name, samples), row)
}

pub(crate) fn steerings() -> Vec<(&'static str, Row)> {
    let samples = vec![
        Steering::Stopped {
            explanation: failure(),
        },
        Steering::TurnRetried,
        Steering::Paused,
        Steering::Resumed,
        Steering::CancelRequested,
        Steering::TimersCompleted,
        Steering::VersionChosen { version: 4 },
        Steering::TurnRetryPlanned {
            attempt: Attempt(2),
            due: at(5),
        },
        Steering::TurnTriedAgain,
    ];
    map(named(STEERINGS, steering_name, samples), |steering| {
        row(Entry::Steered {
            steering,
            at: at(7),
        })
    })
}

/// A life for damaged entries to fall into: each kind of command is open.
pub(crate) fn folded() -> Vec<Entry> {
    let run = RunNo(1);
    let mut entries = vec![Entry::RunStarted {
        run,
        method: method(),
        args: json("[]"),
        at: at(3),
        properties: Vec::new(),
    }];
    let commands = [
        call_task(),
        Command::StartTimer { due: at(60) },
        Command::Step {
            name: StepName::known("resize"),
        },
        call_task(),
    ];
    entries.extend(commands.map(|command| Entry::Command { run, command }));
    entries
}

pub(crate) fn call_task() -> Command {
    Command::CallTask {
        service: service(),
        task: task(),
        args: json(r#"[{"total":12.5},"ä"]"#),
        options: options(),
    }
}

pub(crate) fn commands() -> Vec<(&'static str, Row)> {
    let samples = vec![
        call_task(),
        Command::StartChild {
            workflow: workflow(),
            method: method(),
            args: json("[1]"),
            options: options(),
            custom_id: Some(text("order-42")),
            detached: true,
        },
        Command::CallMethod {
            workflow: workflow(),
            target: Target::Id(other_instance()),
            method: method(),
            args: json("[2]"),
            options: options(),
        },
        Command::SendSignal {
            workflow: workflow(),
            target: Target::Tag(text("order:42")),
            channel: channel(),
            value: json("3"),
        },
        Command::StartTimer { due: at(60_000) },
        Command::OpenReceive {
            channel: channel(),
            limit: Some(10),
            filter: Some(text("$.total > 10")),
        },
        Command::Inline { value: json("4") },
        Command::Step {
            name: StepName::known("resize"),
        },
        Command::SetProperty {
            name: property(),
            value: json("5"),
        },
        Command::Cancel {
            position: Position(6),
        },
        Command::RegisterCompensation {
            call: Box::new(call_task()),
        },
        Command::Patch {
            name: PatchName::known("faster"),
        },
        Command::ContinueWith { args: json("[7]") },
        Command::End {
            result: Ok(json("8")),
        },
        Command::End {
            result: Err(failure()),
        },
    ];
    map(named(COMMANDS, command_name, samples), |command| {
        row(Entry::Command {
            run: RunNo(1),
            command,
        })
    })
}

pub(crate) fn outcomes() -> Vec<(&'static str, Row)> {
    let samples = vec![
        Outcome::Value(json("1")),
        Outcome::Failed(failure()),
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::UnknownInstance,
        Outcome::StartRefused(text("taken")),
        Outcome::Attached(other_instance()),
        Outcome::Due,
        Outcome::Signal(json("2")),
        Outcome::PropertiesChanged(properties()),
    ];
    map(named(OUTCOMES, outcome_name, samples), |outcome| {
        row(Entry::Delivered {
            run: RunNo(1),
            position: Position(300),
            outcome,
            at: at(4),
        })
    })
}

pub(crate) fn failures() -> Vec<(&'static str, FailureRecord)> {
    let kinds = [
        ("Failed", FailureKind::Failed),
        ("TimedOut", FailureKind::TimedOut),
        ("Cancelled", FailureKind::Cancelled),
        ("Panicked", FailureKind::Panicked),
        ("Undecodable", FailureKind::Undecodable),
        ("UnknownInstance", FailureKind::UnknownInstance),
        ("Refused", FailureKind::Refused),
        ("Crashed", FailureKind::Crashed),
        ("Stopped", FailureKind::Stopped),
    ];
    let record = |(name, kind)| (name, FailureRecord::new(kind, name));
    let mut samples: Vec<_> = kinds.into_iter().map(record).collect();
    samples.push(("whole", *failure()));
    samples
}

/// What is stored of instances whose time is over: their ids, and how many rows they have.
pub(crate) fn pages() -> Vec<(&'static str, Vec<(InstanceId, u32)>)> {
    vec![("page", vec![(instance(), 3), (other_instance(), 70_000)])]
}
