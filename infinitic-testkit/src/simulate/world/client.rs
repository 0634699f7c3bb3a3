//! Clients: they start instances, repeat what is not answered, steer, and wait for results.

use infinitic_core::names::{MethodName, WorkflowName};
use infinitic_core::{
    Answer, FailureKind, InstanceId, Message, Payload, RequestId, RunResult, Start, Timestamp,
};

use super::{Event, World};
use crate::simulate::profile::Profile;
use crate::simulate::program::{self, Call, Op};
use crate::simulate::rng::Rng;

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
    pub(crate) acknowledged: bool,
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
    pub(super) fn draw(rng: &mut Rng, profile: &Profile, epoch_ms: u64) -> Self {
        let skew = match rng.chance(profile.skews) {
            true => rng.below(2 * SKEW_MS),
            false => SKEW_MS,
        };
        let drawn_at = Timestamp::from_millis(epoch_ms + skew - SKEW_MS);
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
        let asker = &self.clients[client];
        if asker.stage == Stage::Done {
            return;
        }
        let request = self.request(client);
        let asker = &mut self.clients[client];
        let (to, asked) = (asker.id, asker.asked);
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
        self.send(to, message);
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
        let to = self.clients[client].id;
        self.trace(|_| format!("somebody steers {to}: {message:?}"));
        self.send(to, message);
    }

    /// Over the network: late, twice, or not at all.
    fn send(&mut self, to: InstanceId, message: Message) {
        if !self.healing && self.rng.chance(self.profile.losses) {
            return;
        }
        for _ in 0..self.copies() {
            let delay = self.delay(50);
            let event = Event::Arrives {
                life: None,
                to,
                message: Box::new(message.clone()),
            };
            self.schedule(delay, event);
        }
    }

    /// How often a message comes.
    pub(super) fn copies(&mut self) -> u32 {
        let twice = !self.healing && self.rng.chance(self.profile.copies);
        1 + u32::from(twice)
    }

    /// How long a message takes, usually at most so many milliseconds.
    pub(super) fn delay(&mut self, usual: u64) -> u64 {
        if !self.healing && self.rng.chance(self.profile.delays) {
            return self.rng.below(60_000);
        }
        self.rng.below(usual + 1)
    }

    /// A client is told something.
    pub(super) fn told(&mut self, request: RequestId, answer: &Answer) {
        self.arriving -= 1;
        let Some(Asked {
            client: index,
            is_known,
        }) = self.requests.get(&request).copied()
        else {
            self.watch
                .violation(format!("nobody made request {request:?}"));
            return;
        };
        let retries = !self.healing && self.rng.chance(500);
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
            Answer::Ended(result) => {
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
                let to = client.id;
                let request = Some(self.request(index));
                let message = match retries {
                    true => Message::RetryTurn { cut: None, request },
                    false => Message::RetryTasks { cut: None, request },
                };
                self.trace(|_| format!("client {index} retries: {message:?}"));
                self.send(to, message);
                let later = self.rng.between(100, 5_000);
                self.schedule(later, Event::Asks { client: index });
            }
            Answer::Refused(failure) if failure.kind == FailureKind::UnknownInstance => {
                if is_known {
                    let id = client.id;
                    self.watch
                        .violation(format!("the acknowledged instance {id} is unknown"));
                }
            }
            Answer::Refused(_) | Answer::Done | Answer::State(_) => {}
        }
    }
}
