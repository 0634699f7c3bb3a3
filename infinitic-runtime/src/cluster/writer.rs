//! Writes the rounds of all partitions of this worker, as many as there are in one transaction;
//! then lets go what they send; then acknowledges what they came from.
//!
//! **Invariant:** nothing leaves before the write that covers it; nothing is acknowledged before
//! what it led to is durable and was sent. After a partition was lost, nothing more of that claim
//! is written or sent.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use infinitic_core::names::ServiceName;
use infinitic_core::{
    Answer, CommandId, FailureKind, FailureRecord, Message, RequestId, TaskAttempt,
};
use tokio::sync::Notify;

use super::desk::{Desk, which};
use super::inbox::{Inbox, Input, Local};
use super::partition::{Cancel, Leaving, Round};
use super::settle::{Settle, settle};
use super::store::{Epoch, Part, PartCommit, SharedStore, Written};
use super::transport::{SendError, Topic};
use super::wire::{PACKET_BYTES, Packet};
use crate::backend::StoreError;
use crate::worker::{TurnAway, Which};

/// Rounds of one partition that may wait: beyond, the engine waits too, and its next round is
/// larger.
const WAITING_MAX: usize = 2;
/// First pause after a failed write.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A round, and what is owed once it is done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) round: Round,
    pub(crate) settles: Vec<Settle>,
    /// The messages that came from this process: when the round is lost, the next owner needs them.
    pub(crate) locals: Vec<Local>,
    /// It is written even without rows: the store says whether it is still the owner's to judge.
    pub(crate) fenced: bool,
    /// The partition is given up with it.
    pub(crate) last: bool,
}

impl Job {
    fn is_written(&self) -> bool {
        let commit = &self.round.commit;
        self.fenced || !commit.history.is_empty() || !commit.ops.is_empty()
    }
}

/// The queue of rounds, and the task that writes them.
pub(crate) struct Writer {
    store: Arc<dyn SharedStore>,
    desk: Arc<Desk>,
    inbox: Arc<Inbox>,
    queue: Mutex<Queue>,
    room: Condvar,
    filled: Notify,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(
        store: Arc<dyn SharedStore>,
        desk: Arc<Desk>,
        inbox: Arc<Inbox>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            desk,
            inbox,
            queue: Mutex::default(),
            room: Condvar::new(),
            filled: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues rounds, one of each partition; waits while too many are queued.
    pub(crate) fn submit(&self, jobs: Vec<Job>) {
        let is_full = |queue: &mut Queue| {
            let first = queue.jobs.front().map(|job| &job.round.commit.part);
            let same = queue.jobs.iter().map(|job| &job.round.commit.part);
            !queue.closed
                && first.is_some_and(|first| same.filter(|p| *p == first).count() >= WAITING_MAX)
        };
        let mut queue = self
            .room
            .wait_while(self.lock(), is_full)
            .unwrap_or_else(PoisonError::into_inner);
        queue.jobs.extend(jobs);
        drop(queue);
        self.filled.notify_one();
    }

    /// Ends [`Writer::run`], whatever is queued.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.filled.notify_one();
    }

    /// The next rounds: of each partition one, the first of it.
    fn next(&self) -> Option<Vec<Job>> {
        let mut queue = self.lock();
        if queue.closed {
            return None;
        }
        let mut seen: HashSet<Part> = HashSet::new();
        let mut rest = VecDeque::new();
        let mut batch = Vec::new();
        for job in std::mem::take(&mut queue.jobs) {
            if seen.insert(job.round.commit.part.clone()) {
                batch.push(job);
            } else {
                rest.push_back(job);
            }
        }
        queue.jobs = rest;
        self.room.notify_all();
        Some(batch)
    }

    /// Writes until it is closed.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut lost: HashSet<(Part, Epoch)> = HashSet::new();
        while let Some(mut batch) = self.next() {
            for job in batch.extract_if(.., |job| lost.contains(&claim_of(job))) {
                self.pass_on(job);
            }
            if batch.is_empty() {
                if self.lock().jobs.is_empty() {
                    self.filled.notified().await;
                }
                continue;
            }
            let Some((written, tried)) = self.write(&mut batch).await else {
                return;
            };
            for (job, written) in batch.into_iter().zip(written) {
                let (part, epoch) = claim_of(&job);
                let losers = match &written {
                    Written::Done { lost } => lost.len(),
                    Written::NotOwner => 0,
                };
                if written == Written::NotOwner || losers > 0 {
                    if losers > 0 {
                        tracing::error!(
                            "{losers} instances of partition {part} were written behind its \
                             owner's back: the partition is read anew"
                        );
                    }
                    lost.insert((part.clone(), epoch));
                    self.inbox.push(Input::Lost { part, epoch });
                    if tried || losers > 0 {
                        self.give_out_again(&job);
                    }
                    self.pass_on(job);
                    continue;
                }
                let number = job.round.number;
                self.inbox.note(Input::Durable {
                    part,
                    epoch,
                    number,
                });
                self.release(job);
            }
        }
    }

    /// A round was lost: what the broker has not given, nobody else would tell the next owner.
    fn pass_on(&self, job: Job) {
        for local in job.locals {
            self.inbox.push(Input::Local(local));
        }
    }

    /// A round that counts as lost may be in the store all the same: its answer was lost, and the
    /// next call came after another claim. Then its tasks stand as this member's, who has never
    /// begun them: the new owner is told. Harmless when the round was not written.
    fn give_out_again(&self, job: &Job) {
        for attempt in &job.round.leaving.tasks {
            self.inbox.push(Input::Local(Local {
                part: job.round.commit.part.clone(),
                to: attempt.id.instance,
                message: Message::Redeliver {
                    id: attempt.id,
                    deliveries_max: self.desk.deliveries_max,
                },
                settles: Vec::new(),
            }));
        }
    }

    /// Writes until the store has answered, and says whether it took more than one call; none when
    /// the writer was closed meanwhile. Takes the rows out of the rounds.
    async fn write(&self, batch: &mut [Job]) -> Option<(Vec<Written>, bool)> {
        let is_written: Vec<bool> = batch.iter().map(Job::is_written).collect();
        let commits: Vec<PartCommit> = batch
            .iter_mut()
            .filter(|job| job.is_written())
            .map(|job| job.round.commit.take())
            .collect();
        let (written, tried) = if commits.is_empty() {
            (Vec::new(), false)
        } else {
            self.write_until_answered(commits).await?
        };
        let mut written = written.into_iter();
        let all = is_written.into_iter().map(|is_written| {
            if !is_written {
                return Written::Done { lost: Vec::new() };
            }
            written.next().unwrap_or(Written::NotOwner)
        });
        Some((all.collect(), tried))
    }

    async fn write_until_answered(&self, commits: Vec<PartCommit>) -> Option<(Vec<Written>, bool)> {
        let mut pause = PAUSE_FIRST;
        let mut failed = false;
        loop {
            match self.store.write(commits.clone()).await {
                Ok(written) => {
                    if failed {
                        tracing::info!("the store takes writes again");
                    }
                    return Some((written, failed));
                }
                Err(error) if !failed => log_failure(&error),
                Err(_) => {}
            }
            failed = true;
            if self.lock().closed {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Lets go what is durable.
    fn release(self: &Arc<Self>, job: Job) {
        let Job {
            round,
            settles,
            locals: _,
            fenced: _,
            last,
        } = job;
        let (part, epoch) = (round.commit.part, round.commit.epoch);
        let Leaving {
            tasks,
            steps,
            cancels,
            answers,
            turns,
            messages,
        } = round.leaving;
        // What is not wanted first: a newer attempt of the same task may be among the new ones.
        let cancels = self.cancel(cancels);
        let away = self.desk.keep_home(tasks);
        for (attempt, job) in steps {
            self.desk.runs_step(&attempt);
            self.desk.executor().run_step(attempt, job.run, job.policy);
        }
        let sends = self.packets(cancels, answers, turns);
        for (to, message) in messages {
            self.inbox.push(Input::Local(Local {
                part: part.clone(),
                to,
                message,
                settles: Vec::new(),
            }));
        }
        if sends.is_empty() && away.is_empty() && !last {
            settle(settles);
            return;
        }
        let sent = Sent {
            part,
            epoch,
            settles,
            last,
        };
        let writer = Arc::clone(self);
        let finished = async move { writer.finish(sends, away, sent).await };
        self.desk.handle.spawn(finished);
    }

    /// Begins to send all but tasks.
    #[expect(
        clippy::vec_box,
        reason = "they come boxed from the engine, and go boxed to others"
    )]
    fn packets(
        &self,
        cancels: BTreeMap<ServiceName, Vec<(CommandId, Which)>>,
        answers: BTreeMap<Arc<str>, Vec<(RequestId, Answer)>>,
        turns: Vec<Box<TurnAway>>,
    ) -> Vec<Sending> {
        let mut sends: Vec<Sending> = Vec::new();
        for (service, ids) in cancels {
            sends.push(self.sending(&Topic::TaskControl(service), &Packet::Cancel(ids)));
        }
        for (client, answers) in answers {
            let topic = Topic::Replies(client.to_string());
            for packet in packed(answers) {
                sends.push(self.sending(&topic, &packet));
            }
        }
        for turn in turns {
            self.desk.look_for_hosts(&turn.workflow, turn.version);
            let topic = Topic::Turns(turn.workflow.clone(), turn.version);
            sends.push(self.sending(&topic, &Packet::Turn(turn)));
        }
        sends
    }

    /// Waits until all has arrived, and acknowledges what it came from.
    #[expect(
        clippy::vec_box,
        reason = "they come boxed from the engine, and go boxed to others"
    )]
    async fn finish(&self, sends: Vec<Sending>, away: Vec<Box<TaskAttempt>>, sent: Sent) {
        let Sent {
            part,
            epoch,
            settles,
            last,
        } = sent;
        let given = away.into_iter().map(|attempt| {
            let desk = Arc::clone(&self.desk);
            let id = (attempt.id, which(&attempt));
            (id, tokio::spawn(async move { desk.send(attempt).await }))
        });
        let given: Vec<_> = given.collect();
        for sending in sends {
            // An answer that does not arrive is asked for again.
            sending.await;
        }
        let mut ids = Vec::new();
        for (id, given) in given {
            if given.await.unwrap_or(false) {
                ids.push(id);
            }
        }
        settle(settles);
        if !ids.is_empty() {
            let part = part.clone();
            self.inbox.note(Input::InBroker { part, epoch, ids });
        }
        if last {
            self.inbox.push(Input::Last { part, epoch });
        }
    }

    fn sending(&self, topic: &Topic, packet: &Packet) -> Sending {
        let bytes = packet.encode();
        let sent = self.desk.transport.send(topic, bytes);
        match packet {
            // A result that the broker does not take must not leave its client waiting for ever.
            Packet::Answers(answers) => {
                let requests: Vec<RequestId> =
                    answers.iter().map(|(request, _)| *request).collect();
                let (transport, topic) = (Arc::clone(&self.desk.transport), topic.clone());
                Box::pin(async move {
                    if let Err(error @ SendError::TooLarge { .. }) = sent.await {
                        let refused = refused_all(requests, &error);
                        drop(transport.send(&topic, refused.encode()).await);
                    }
                })
            }
            _ => Box::pin(async move { drop(sent.await) }),
        }
    }

    /// Cancels here what runs here. Gives what others must be told, by service.
    fn cancel(&self, cancels: Vec<Cancel>) -> BTreeMap<ServiceName, Vec<(CommandId, Which)>> {
        let mut others: BTreeMap<_, Vec<(CommandId, Which)>> = BTreeMap::new();
        for Cancel { id, which, service } in cancels {
            let was_here = self.desk.cancel(id, which);
            if let Some(service) = service.filter(|_| !was_here) {
                others.entry(service).or_default().push((id, which));
            }
        }
        others
    }
}

/// A round that is durable, and what is owed once what it sends has arrived.
struct Sent {
    part: Part,
    epoch: Epoch,
    settles: Vec<Settle>,
    last: bool,
}

type Sending = super::store::Pending<'static, ()>;

fn claim_of(job: &Job) -> (Part, Epoch) {
    (job.round.commit.part.clone(), job.round.commit.epoch)
}

fn log_failure(error: &StoreError) {
    tracing::error!(
        "the store does not take writes: {error}; nothing is lost, work waits and goes on by \
         itself when the store is writable again"
    );
}

/// Answers in packets of a good size.
fn packed(answers: Vec<(RequestId, Answer)>) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut packet = Vec::new();
    let mut bytes = 0;
    for (request, answer) in answers {
        let size = match &answer {
            Answer::Ended(Ok(value)) => 64 + value.len(),
            _ => 512,
        };
        if !packet.is_empty() && bytes + size > PACKET_BYTES {
            packets.push(Packet::Answers(std::mem::take(&mut packet)));
            bytes = 0;
        }
        bytes += size;
        packet.push((request, answer));
    }
    packets.push(Packet::Answers(packet));
    packets
}

fn refused_all(requests: Vec<RequestId>, error: &SendError) -> Packet {
    let failure = FailureRecord::new(FailureKind::Refused, error.to_string());
    let refused = |request| (request, Answer::Refused(Box::new(failure.clone())));
    Packet::Answers(requests.into_iter().map(refused).collect())
}
