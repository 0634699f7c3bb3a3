//! Tests of the engine: each rule by name, as messages in, entries and effects out, both in words.
//!
//! [`Scenario`] plays the store and the world around one instance. With every message it also
//! checks what always holds: the state is the fold of its entries, and a message that writes
//! nothing changes nothing. Times are milliseconds after [`T0`].

#![allow(clippy::unwrap_used)]

mod attempt;
mod cancel;
mod cut;
mod property;
mod recover;
mod reopen;
mod start;
mod stop;
mod timer;
mod turn;
mod unavailable;
mod wait;
mod words;

use std::time::Duration;

use super::{Applied, apply, plan_retry_tasks, plan_retry_turn};
use crate::codec::{RowHeader, decode_row, encode_row};
use crate::names::{MethodName, ServiceName, StepName, TaskName, WorkflowName};
use crate::*;

const T0: Timestamp = Timestamp::from_millis(1_000_000);
const RUN: RunNo = RunNo(0);

/// One instance, its record, and what the last message led to.
#[derive(Clone)]
struct Scenario {
    id: InstanceId,
    instance: Option<Box<Instance>>,
    log: Vec<Entry>,
    now: Timestamp,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
}

impl Scenario {
    /// There is no record of the id, which is drawn now.
    fn nothing() -> Self {
        Self {
            id: InstanceId::new(T0, 42, 7),
            instance: None,
            log: Vec::new(),
            now: T0,
            entries: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Started; its first turn asked for `commands`.
    fn with(commands: impl IntoIterator<Item = Command>) -> Self {
        let mut scenario = Self::nothing();
        scenario.send(start(None, None));
        scenario.turn(commands);
        scenario
    }

    fn send(&mut self, message: Message) -> &mut Self {
        let before = self.instance.clone();
        let Applied {
            instance,
            entries,
            effects,
        } = apply(self.id, self.instance.take(), message, self.now);
        self.log.extend(entries.iter().cloned());
        self.instance = instance;
        assert_eq!(self.without_waits(), self.fold(), "state is not the fold");
        if entries.is_empty() {
            let before = Self::forget_waits(before.clone());
            assert_eq!(self.without_waits(), before, "changed without an entry");
        }
        self.check_status(before.as_deref(), &effects);
        if !entries.is_empty() {
            let header = RowHeader {
                status: self.status(),
                commit: 9,
            };
            let row = decode_row(&encode_row(header, &entries)).unwrap();
            assert_eq!(row, (header, entries.clone()));
        }
        self.entries = entries;
        self.effects = effects;
        self
    }

    fn check_status(&self, before: Option<&Instance>, effects: &[Effect]) {
        let was_ended = before.is_some_and(|instance| instance.status().is_ended());
        let is_ended = self
            .instance
            .as_ref()
            .is_some_and(|instance| instance.status().is_ended());
        let ends = effects.contains(&Effect::EndInstance);
        let reopens = effects.contains(&Effect::ReopenInstance);
        assert_eq!(ends, is_ended && !was_ended, "EndInstance once, at the end");
        assert_eq!(reopens, was_ended && !is_ended, "ReopenInstance once");
    }

    fn fold(&self) -> Option<Box<Instance>> {
        let (first, rest) = self.log.split_first()?;
        let mut instance = Instance::begin(self.id, first).expect("`Started` comes first");
        rest.iter().for_each(|entry| instance.evolve(entry));
        Some(Box::new(instance))
    }

    fn forget_waits(mut instance: Option<Box<Instance>>) -> Option<Box<Instance>> {
        if let Some(instance) = &mut instance {
            instance.waiting.clear();
        }
        instance
    }

    fn without_waits(&self) -> Option<Box<Instance>> {
        Self::forget_waits(self.instance.clone())
    }

    /// Sends what must change and lead to nothing.
    #[track_caller]
    fn ignores(&mut self, message: Message) -> &mut Self {
        let waiting = self.instance().waiting.clone();
        self.send(message.clone());
        assert!(self.entries.is_empty(), "{message:?}: {:?}", self.entries);
        assert!(self.effects.is_empty(), "{message:?}: {:?}", self.effects);
        assert_eq!(self.instance().waiting, waiting, "{message:?}");
        self
    }

    /// Compares what the last message led to, in words.
    #[track_caller]
    fn gives(&mut self, entries: &[&str], effects: &[&str]) -> &mut Self {
        let written: Vec<String> = self.entries.iter().map(words::entry).collect();
        let asked: Vec<String> = self.effects.iter().map(words::effect).collect();
        assert_eq!(written, entries, "entries; effects were {asked:#?}");
        assert_eq!(asked, effects, "effects");
        self
    }

    fn turn(&mut self, commands: impl IntoIterator<Item = Command>) -> &mut Self {
        self.send(turn_ended(commands))
    }

    fn later(&mut self, ms: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(ms);
        self
    }

    fn instance(&self) -> &Instance {
        self.instance.as_deref().expect("the instance was started")
    }

    fn status(&self) -> Status {
        self.instance().status()
    }

    fn run(&self) -> &instance::Run {
        &self.instance().runs[&RUN]
    }

    /// The id of an open command.
    #[track_caller]
    fn command(&self, position: u32) -> CommandId {
        let position = Position(position);
        let open = &self.run().open[&position];
        self.instance().command_id(RUN, position, open)
    }

    /// The current attempt of an open task or step ends.
    #[track_caller]
    fn attempt(&mut self, position: u32, result: AttemptResult) -> &mut Self {
        let message = self.attempt_ended(position, result);
        self.send(message)
    }

    #[track_caller]
    fn attempt_ended(&self, position: u32, result: AttemptResult) -> Message {
        let open = &self.run().open[&Position(position)];
        let attempts = open.kind.attempts().expect("a task or step");
        Message::AttemptEnded {
            id: self.command(position),
            sequence: open.sequence,
            attempt: attempts.current,
            result,
        }
    }

    #[track_caller]
    fn rings(&mut self, kind: TimerKind, position: u32) -> &mut Self {
        let id = self.command(position);
        self.send(rings(kind, id))
    }

    fn history(&self) -> RunHistory {
        let mut history = History::default();
        self.log
            .iter()
            .cloned()
            .for_each(|entry| history.add(entry));
        history.take_run(RUN).expect("the first run")
    }

    /// `retry_tasks`, where the code has asked `commands_kept` commands when it comes to the cut.
    fn retry_tasks(&mut self, commands_kept: u32) -> &mut Self {
        let history = self.history();
        let plan = plan_retry_tasks(RUN, &history);
        let cut = plan.map(|plan| Box::new(plan.cut(&history, commands_kept)));
        let request = Some(RequestId(8));
        self.send(Message::RetryTasks { cut, request })
    }

    /// `retry_turn`, likewise.
    fn retry_turn(&mut self, commands_kept: u32) -> &mut Self {
        let history = self.history();
        let plan = plan_retry_turn(RUN, &history);
        let cut = plan.map(|plan| Box::new(plan.cut(&history, commands_kept)));
        let request = Some(RequestId(9));
        self.send(Message::RetryTurn { cut, request })
    }
}

fn start(started: Option<u64>, ended: Option<u64>) -> Message {
    let start = Start {
        workflow: WorkflowName::known("Orders"),
        version: Some(2),
        method: MethodName::known("start"),
        args: json("[1]"),
        tags: vec!["tag".to_owned()],
        meta: vec![("key".to_owned(), "value".to_owned())],
        custom_id: None,
    };
    Message::Start {
        start: Box::new(start),
        started: started.map(RequestId),
        ended: ended.map(RequestId),
    }
}

fn turn_ended(commands: impl IntoIterator<Item = Command>) -> Message {
    let report = TurnReport {
        commands: commands.into_iter().collect(),
        stopped: None,
    };
    Message::TurnEnded { run: RUN, report }
}

fn stopped(why: &str) -> Message {
    let report = TurnReport {
        commands: vec![task("void")],
        stopped: Some(failure(FailureKind::Stopped, why)),
    };
    Message::TurnEnded { run: RUN, report }
}

/// A turn cannot go on, and its worker's policy asks for another try.
fn fails_turn(why: &str, retry_after_ms: u64) -> Message {
    Message::TurnFailed {
        run: RUN,
        explanation: failure(FailureKind::Stopped, why),
        retry_after_ms,
    }
}

fn rings(kind: TimerKind, id: CommandId) -> Message {
    let timer = TimerKey { id, kind };
    Message::TimerDue { timer }
}

fn json(text: &str) -> Payload {
    Payload::from_json(text.to_owned())
}

fn failure(kind: FailureKind, message: &str) -> Box<FailureRecord> {
    Box::new(FailureRecord::new(kind, message))
}

fn task(name: &str) -> Command {
    Command::CallTask {
        service: ServiceName::known("Bank"),
        task: TaskName::known(name),
        args: json("[]"),
        options: CallOptions::default(),
    }
}

fn task_within(name: &str, timeout_ms: u64) -> Command {
    Command::CallTask {
        service: ServiceName::known("Bank"),
        task: TaskName::known(name),
        args: json("[]"),
        options: CallOptions {
            timeout_ms: Some(timeout_ms),
            ..CallOptions::default()
        },
    }
}

fn step(name: &str) -> Command {
    Command::Step {
        name: StepName::known(name),
    }
}

/// A timer, due so long after [`T0`].
fn timer(ms: u64) -> Command {
    Command::StartTimer {
        due: T0 + Duration::from_millis(ms),
    }
}

fn cancel(position: u32) -> Command {
    Command::Cancel {
        position: Position(position),
    }
}

fn end_ok() -> Command {
    Command::End {
        result: Ok(json("1")),
    }
}

fn end_failed() -> Command {
    Command::End {
        result: Err(failure(FailureKind::Failed, "no")),
    }
}

/// The code passes the failure of a task of its own on.
fn end_failed_by(id: CommandId) -> Command {
    let origin = Origin::Task {
        id,
        service: ServiceName::known("Bank"),
        task: TaskName::known("a"),
        worker: "w".to_owned(),
        attempts: 1,
    };
    let mut failed = failure(FailureKind::Failed, "no");
    failed.cause = Some(Box::new(
        FailureRecord::new(FailureKind::Failed, "boom").at(origin),
    ));
    Command::End {
        result: Err(failed),
    }
}

fn value(text: &str) -> AttemptResult {
    AttemptResult::Value(json(text))
}

/// Fails, is tried again, and leaves this to the next attempt.
fn fails_leaving(retry_after_ms: u64, meta: &[(&str, &str)]) -> AttemptResult {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    AttemptResult::FailedWithMeta {
        failure: failure(FailureKind::Failed, "boom"),
        retry_after_ms,
        meta: meta.iter().map(own).collect(),
    }
}

fn fails(message: &str, retry_after_ms: Option<u64>) -> AttemptResult {
    AttemptResult::Failed {
        failure: failure(FailureKind::Failed, message),
        retry_after_ms,
    }
}
