//! Clients: they start instances, repeat what is not answered, steer, and wait for results.

use infinitic_core::names::{MethodName, WorkflowName};
use infinitic_core::{
    Answer, FailureKind, InstanceId, Message, Payload, RequestId, RunResult, Start, Timestamp,
};
use infinitic_runtime::cluster::simulate::Parcel;
use infinitic_runtime::cluster::transport::Topic;

use super::super::super::program::{self, Call, Op};
use super::super::super::rng::Rng;
use super::super::profile::Profile;
use super::{EPOCH_MS, Event, Reaches, World};

/// The most by which a client's clock is wrong: what the design promises to bear.
const SKEW_MS: u64 = 300_000;

/// A client and its instance.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: InstanceId,
    pub(crate) program: Op,
    start: Start,
    /// It asks for start and end at once.
    waits_at_once: bool,
    pub(crate) stage: Stage,
    /// Whether the start was acknowledged.
    acknowledged: bool,
    /// The results that it was told.
    pub(crate) told: Vec<RunResult>,
    asked: u32,
    retries_left: u32,
}

/// A request of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) client: usize,
    /// The start was acknowledged before: nobody may say that there is no such instance.
    is_known: bool,
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Starting,
    Waiting,
    Done,
}

impl Client {
    pub(super) fn draw(rng: &mut Rng, profile: &Profile) -> Self {
        let skew = match rng.chance(profile.skews) {
            true => rng.below(2 * SKEW_MS),
            false => SKEW_MS,
        };
        let drawn_at = Timestamp::from_millis(EPOCH_MS + skew - SKEW_MS);
        let routing = u16::try_from(rng.below(1 << 16)).expect("sixteen bits");
        let program = program::draw(rng, profile.with_traps);
        let args = serde_json::to_vec(&(&program,)).expect("programs encode as JSON");
        Self {
            id: InstanceId::new(drawn_at, rng.next(), routing),
            start: Start {
                workflow: WorkflowName::known("Simulated"),
                version: None,
                method: MethodName::known("run"),
                args: Payload::from_json(args),
                tags: Vec::new(),
                meta: Vec::new(),
                custom_id: None,
            },
            program,
            waits_at_once: rng.chance(400),
            stage: Stage::Starting,
            acknowledged: false,
            told: Vec::new(),
            asked: 0,
            retries_left: if rng.chance(profile.retries) { 2 } else { 0 },
        }
    }

    /// It is patient no longer: faults have stopped.
    pub(super) fn ask_soon(&mut self) {
        self.asked = 0;
    }

    /// The calls of its program.
    pub(super) fn calls(&self) -> Vec<&Call> {
        let mut calls = Vec::new();
        self.program.collect_calls(&mut calls);
        calls
    }
}

impl World {
    fn request(&mut self, client: usize) -> RequestId {
        let request = RequestId(self.requests.len() as u64);
        let is_known = self.clients[client].acknowledged;
        self.requests.insert(request, Asked { client, is_known });
        request
    }

    /// A client asks for its start or its end, and looks again later whether it was answered.
    pub(super) fn asks(&mut self, client: usize) {
        if self.clients[client].stage == Stage::Done {
            return;
        }
        let request = self.request(client);
        let asker = &mut self.clients[client];
        let asked = asker.asked;
        asker.asked += 1;
        let start = Box::new(asker.start.clone());
        let message = match (asker.stage, asker.waits_at_once) {
            (Stage::Starting, true) => Message::Start {
                start,
                started: None,
                ended: Some(request),
            },
            (Stage::Starting, false) => Message::Start {
                start,
                started: Some(request),
                ended: None,
            },
            (Stage::Waiting | Stage::Done, _) => Message::ClientWaits { request },
        };
        self.ask(client, message);
        // More and more patient, up to an hour.
        let again = self.rng.between(5_000, 20_000) << asked.min(8);
        self.schedule(again.min(3_600_000), Event::Asks { client });
    }

    /// Somebody cancels, retries or looks.
    pub(super) fn steers(&mut self, client: usize) {
        if self.healing {
            return;
        }
        let id = self.request(client);
        let request = Some(id);
        let message = match self.rng.below(10) {
            0..=2 => Message::Cancel { run: None, request },
            3..=5 => Message::RetryTasks { cut: None, request },
            6..=8 => Message::RetryTurn { cut: None, request },
            _ => Message::Inspect { request: id },
        };
        self.trace(|_| format!("somebody steers client {client}: {message:?}"));
        self.ask(client, message);
    }

    /// Over the broker: late, twice, or not at all.
    pub(super) fn ask(&mut self, client: usize, message: Message) {
        if !self.healing && self.rng.chance(self.profile.losses) {
            return;
        }
        let to = self.clients[client].id;
        let topic = Topic::Inbox(self.part_of(to));
        let payload = Parcel::Messages(format!("client-{client}"), vec![(to, message)]).encode();
        let delay = self.delay(20);
        let reaches = Reaches {
            life: None,
            topic,
            payload,
            pending: None,
        };
        self.schedule(delay, Event::Reaches(reaches));
    }

    /// A client is told something.
    pub(super) fn told(&mut self, request: RequestId, answer: &Answer) {
        let Some(Asked {
            client: index,
            is_known,
        }) = self.requests.get(&request).copied()
        else {
            return self
                .watch
                .violation(format!("nobody made request {request:?}"));
        };
        self.trace(|_| format!("client {index} is told {answer:?}"));
        let client = &mut self.clients[index];
        match answer {
            Answer::Started { .. } => {
                client.acknowledged = true;
                if client.stage == Stage::Starting {
                    client.stage = Stage::Waiting;
                    client.asked = 0;
                    self.schedule(0, Event::Asks { client: index });
                }
            }
            Answer::Ended(result) => self.told_end(index, result),
            Answer::Refused(failure)
                if failure.kind == FailureKind::UnknownInstance && is_known =>
            {
                let id = client.id;
                self.watch
                    .violation(format!("the acknowledged instance {id} is unknown"));
            }
            _ => {}
        }
    }

    fn told_end(&mut self, index: usize, result: &RunResult) {
        let by_turn = !self.healing && self.rng.chance(500);
        let client = &mut self.clients[index];
        client.acknowledged = true;
        client.told.push(result.clone());
        let has_failed = result
            .as_ref()
            .is_err_and(|failure| failure.kind != FailureKind::Cancelled);
        if client.stage == Stage::Done || !has_failed || client.retries_left == 0 {
            client.stage = Stage::Done;
            return;
        }
        client.retries_left -= 1;
        client.stage = Stage::Waiting;
        let request = Some(self.request(index));
        let message = match by_turn {
            true => Message::RetryTurn { cut: None, request },
            false => Message::RetryTasks { cut: None, request },
        };
        self.trace(|_| format!("client {index} retries: {message:?}"));
        self.ask(index, message);
        let later = self.rng.between(100, 5_000);
        self.schedule(later, Event::Asks { client: index });
    }
}
