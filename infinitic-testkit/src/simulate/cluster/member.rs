//! One member of the fleet: its partitions, its writer, its attempts, without threads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use infinitic_core::{CommandId, InstanceId, Message, Timestamp};
use infinitic_runtime::cluster::simulate::{Owner, Written};
use infinitic_runtime::cluster::store::{Claim, Epoch, MemberId, Part, PartCommit};
use infinitic_runtime::cluster::transport::Topic;
use infinitic_runtime::service::SpotExecutor;
use infinitic_runtime::worker::Which;

use super::broker::{Given, Owed};
use super::world::Own;

/// Something for a member's engine.
#[derive(Debug)]
pub(crate) enum Input {
    Packets {
        part: Part,
        epoch: Epoch,
        packets: Vec<(Owed, Bytes)>,
    },
    Local(Local),
    Claimed {
        part: Part,
        claim: Claim,
    },
    Release {
        part: Part,
    },
    Durable {
        part: Part,
        epoch: Epoch,
        number: u64,
    },
    Last {
        part: Part,
        epoch: Epoch,
    },
    Lost {
        part: Part,
        epoch: Epoch,
    },
    InBroker {
        part: Part,
        epoch: Epoch,
        ids: Vec<(CommandId, Which)>,
    },
    Alive(BTreeSet<String>),
}

/// A message from the member to an instance.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) part: Part,
    pub(crate) to: InstanceId,
    pub(crate) message: Message,
    pub(crate) settles: Vec<Owed>,
}

/// A partition in a member's hands.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) owner: Owner,
    pub(crate) settles: Vec<Owed>,
    pub(crate) locals: Vec<Local>,
    pub(crate) fenced: bool,
    pub(crate) leaving: bool,
    pub(crate) left: bool,
    /// How many rounds there were.
    pub(crate) rounds: u64,
}

/// A round for the writer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) round: Written,
    pub(crate) settles: Vec<Owed>,
    pub(crate) locals: Vec<Local>,
    pub(crate) fenced: bool,
    pub(crate) last: bool,
}

impl Job {
    pub(crate) fn claim(&self) -> (Part, Epoch) {
        (self.round.commit.part.clone(), self.round.commit.epoch)
    }

    pub(crate) fn is_written(&self) -> bool {
        let commit = &self.round.commit;
        self.fenced || !commit.history.is_empty() || !commit.ops.is_empty()
    }
}

/// What is being written.
#[derive(Debug)]
pub(crate) struct Writing {
    /// Number of the call: answers of those before it come too late.
    pub(crate) call: u64,
    /// There were calls before it.
    pub(crate) tried: bool,
    pub(crate) batch: Vec<Job>,
    pub(crate) commits: Vec<PartCommit>,
}

/// What waits for the broker's confirmations.
#[derive(Debug)]
pub(crate) struct Pending {
    /// How many are missing.
    pub(crate) missing: usize,
    pub(crate) then: Then,
}

/// What is done when the broker has confirmed.
#[derive(Debug)]
pub(crate) enum Then {
    /// A round has left.
    Left {
        part: Part,
        epoch: Epoch,
        settles: Vec<Owed>,
        in_broker: Vec<(CommandId, Which)>,
        last: bool,
    },
    /// A message was forwarded.
    Forwarded(Vec<Owed>),
}

/// An attempt that runs.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) which: Which,
    pub(crate) message: Message,
}

/// A running member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) slot: u64,
    pub(crate) life: u64,
    pub(crate) hosts_workflow: bool,
    pub(crate) hosts_service: bool,
    /// Its deployment's traps panic.
    pub(crate) broken: bool,
    pub(crate) executor: SpotExecutor,
    /// How far its idea of the store's clock is off.
    pub(crate) skew: i64,
    pub(crate) last_now: Timestamp,
    /// It dies as soon as what it does now is over.
    pub(crate) dead: bool,
    /// It hangs; what comes to it waits.
    pub(crate) frozen: bool,
    pub(crate) deferred: VecDeque<Own>,

    pub(crate) inbox: VecDeque<Input>,
    pub(crate) partitions: BTreeMap<Part, Holding>,
    pub(crate) held: BTreeMap<Part, Epoch>,
    pub(crate) alive: BTreeSet<String>,
    pub(crate) maintained: Timestamp,
    pub(crate) round_at: Option<u64>,
    /// Rounds in a row that came to nothing.
    pub(crate) idle: u32,

    pub(crate) jobs: VecDeque<Job>,
    pub(crate) writing: Option<Writing>,
    pub(crate) lost: BTreeSet<(Part, Epoch)>,

    pub(crate) origins: BTreeMap<(CommandId, Which), Vec<Owed>>,
    pub(crate) running: BTreeMap<CommandId, Execution>,
    pub(crate) pendings: BTreeMap<u64, Pending>,
    /// When the last message to each topic arrives: the next one comes after it.
    pub(crate) arrives: BTreeMap<Topic, u64>,
    pub(crate) draining: bool,
    pub(crate) stopping: bool,
}

/// Rounds of one partition that may wait for the writer, as in a worker.
const WAITING_MAX: usize = 2;

impl Member {
    /// Its idea of the store's clock; never runs back.
    pub(crate) fn clock(&mut self, store: Timestamp) -> Timestamp {
        let now = store.as_millis().saturating_add_signed(self.skew);
        self.last_now = self.last_now.max(Timestamp::from_millis(now));
        self.last_now
    }

    pub(crate) fn holding(&mut self, part: &Part, epoch: Epoch) -> Option<&mut Holding> {
        let holding = self.partitions.get_mut(part)?;
        (holding.owner.epoch() == epoch).then_some(holding)
    }

    /// A partition is not in its hands any more.
    pub(crate) fn forget(&mut self, part: &Part, epoch: Epoch) {
        if self.held.get(part) == Some(&epoch) {
            self.held.remove(part);
        }
    }

    /// Whether its engine must wait for the writer.
    pub(crate) fn is_full(&self) -> bool {
        let part = |job: &Job| job.round.commit.part.clone();
        let first = self.jobs.front().map(part);
        first.is_some_and(|first| {
            let same = self.jobs.iter().filter(|job| part(job) == first);
            same.count() >= WAITING_MAX
        })
    }

    /// The next rounds to write: of each partition one, the first of it.
    pub(crate) fn next_batch(&mut self) -> Vec<Job> {
        let mut seen = BTreeSet::new();
        let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
        for job in std::mem::take(&mut self.jobs) {
            if seen.insert(job.round.commit.part.clone()) {
                batch.push(job);
            } else {
                rest.push_back(job);
            }
        }
        self.jobs = rest;
        let lost = &self.lost;
        let (gone, batch) = batch
            .into_iter()
            .partition(|job: &Job| lost.contains(&job.claim()));
        let gone: Vec<Job> = gone;
        gone.into_iter().for_each(|job| self.pass_on(job));
        batch
    }

    /// A round that was refused may have been written by a call before: its tasks stand as this
    /// member's, who never begins them.
    pub(crate) fn give_out_again(&mut self, job: &Job, deliveries_max: u32) {
        let again = job.round.tasks.iter().map(|attempt| {
            Input::Local(Local {
                part: job.round.commit.part.clone(),
                to: attempt.id.instance,
                message: Message::Redeliver {
                    id: attempt.id,
                    deliveries_max,
                },
                settles: Vec::new(),
            })
        });
        self.inbox.extend(again);
    }

    /// A round was lost: what the broker has not given, nobody else would tell the next owner.
    pub(crate) fn pass_on(&mut self, job: Job) {
        self.inbox.extend(job.locals.into_iter().map(Input::Local));
    }

    /// Whether it has nothing to do but to wait for time and others.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty()
            && self.jobs.is_empty()
            && self.writing.is_none()
            && self.running.is_empty()
            && self.pendings.is_empty()
            && self.partitions.values().all(|it| !it.leaving)
    }
}

/// What the broker has delivered, as an input.
pub(crate) fn packets(part: &Part, rank: u32, given: Vec<Given>) -> Input {
    let packets = given.into_iter().map(|Given { id, payload, .. }| {
        let part = part.clone();
        (Owed::Inbox { part, rank, id }, payload)
    });
    Input::Packets {
        part: part.clone(),
        epoch: Epoch(rank),
        packets: packets.collect(),
    }
}
