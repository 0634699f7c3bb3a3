//! The door for the simulation: partitions as values, and the packets between workers, without
//! threads, sockets and clocks. No worker is made of it; it promises nothing to users.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};

use bytes::Bytes;
use infinitic_core::names::ServiceName;
use infinitic_core::{
    Answer, CommandId, Instance, InstanceId, Message, RequestId, StepAttempt, TaskAttempt,
    Timestamp,
};

use super::partition::{Leaving, Partition, Round, Trouble};
use super::store::{Claim, Epoch, MemberId, Part, PartCommit, SharedStore};
use super::view::PartView;
use super::wire::Packet;
use crate::backend::StoreError;
use crate::worker::{Hosted, OnForeign, ShardSettings, TurnAway, TurnDone, Which};
use crate::workflow::StepJob;

/// Timers that a partition rings in one round at most.
const TIMERS_AT_ONCE: usize = 512;

/// A partition in the hands of its owner, over a store that answers at once.
#[derive(Debug)]
pub struct Owner(Partition);

/// What one round writes, and what leaves once that is durable.
#[expect(clippy::vec_box, reason = "as the loops hand them on, without a copy")]
#[derive(Debug)]
pub struct Written {
    /// What is written; without rows when nothing is.
    pub commit: PartCommit,
    /// Its number under this claim.
    pub number: u64,
    /// Attempts of tasks.
    pub tasks: Vec<Box<TaskAttempt>>,
    /// Attempts of steps.
    pub steps: Vec<(Box<StepAttempt>, StepJob)>,
    /// Attempts that are not wanted any more.
    pub cancels: Vec<(CommandId, Which, Option<ServiceName>)>,
    /// Answers, by client.
    pub answers: BTreeMap<Arc<str>, Vec<(RequestId, Answer)>>,
    /// Turns and steps for members that host the workflow.
    pub turns: Vec<Box<TurnAway>>,
    /// Messages to the partition itself.
    pub messages: Vec<(InstanceId, Message)>,
}

/// What a packet holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// For the inbox of a partition: the client (empty for workers), and its messages.
    Messages(String, Vec<(InstanceId, Message)>),
    /// For a client.
    Answers(Vec<(RequestId, Answer)>),
    /// For any worker of a service.
    Task(Box<TaskAttempt>),
    /// For all workers of a service.
    Cancel(Vec<(CommandId, Which)>),
    /// For any worker of a workflow.
    Turn(Box<TurnAway>),
    /// For the inbox of a partition.
    TurnEnded(TurnEnded),
}

/// What came of a turn elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnEnded(Box<TurnDone>);

/// What a turn or step that another member asks for comes to.
#[derive(Debug)]
pub enum Elsewhere {
    /// The turn has ended: this is for the inbox of its partition.
    Ended(TurnEnded),
    /// This step is to run.
    Step(Box<StepAttempt>, StepJob),
    /// It is not hosted here, or not wanted any more.
    Nothing,
}

impl TurnEnded {
    /// Whose turn it was.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.0.instance
    }
}

/// Runs a turn, or finds the code of a step, for another member.
#[must_use]
pub fn run_elsewhere(turn: Box<TurnAway>, hosted: &Hosted) -> Elsewhere {
    if turn.step.is_some() {
        return turn
            .job(&hosted.workflows)
            .map_or(Elsewhere::Nothing, |(attempt, job)| {
                Elsewhere::Step(attempt, job)
            });
    }
    turn.run(&hosted.workflows)
        .map_or(Elsewhere::Nothing, |done| {
            Elsewhere::Ended(TurnEnded(Box::new(done)))
        })
}

impl Parcel {
    /// As it travels.
    #[must_use]
    pub fn encode(self) -> Bytes {
        let packet = match self {
            Self::Messages(client, messages) => Packet::Messages { client, messages },
            Self::Answers(answers) => Packet::Answers(answers),
            Self::Task(attempt) => Packet::Task(attempt),
            Self::Cancel(ids) => Packet::Cancel(ids),
            Self::Turn(turn) => Packet::Turn(turn),
            Self::TurnEnded(TurnEnded(done)) => Packet::TurnDone(done),
        };
        packet.encode()
    }

    /// Reads it back; none when it is no packet.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match Packet::decode(bytes).ok()? {
            Packet::Messages { client, messages } => Some(Self::Messages(client, messages)),
            Packet::Answers(answers) => Some(Self::Answers(answers)),
            Packet::Task(attempt) => Some(Self::Task(attempt)),
            Packet::Cancel(ids) => Some(Self::Cancel(ids)),
            Packet::Turn(turn) => Some(Self::Turn(turn)),
            Packet::TurnDone(done) => Some(Self::TurnEnded(TurnEnded(done))),
        }
    }
}

impl Owner {
    /// Takes a claimed partition over.
    ///
    /// # Errors
    /// When its rows cannot be read.
    pub fn take_over(
        part: &Part,
        claim: Claim,
        store: Arc<dyn SharedStore>,
        me: &MemberId,
        (hosted, settings): (&Hosted, &ShardSettings),
        on_foreign: OnForeign,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let view = PartView::new(store, part.clone(), None, Arc::new(AtomicBool::new(false)));
        let view = Arc::new(view);
        let part = part.clone();
        Partition::take_over(part, claim, view, me, hosted, settings, on_foreign, now).map(Self)
    }

    /// Under which claim it is owned.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.0.claim().epoch
    }

    /// Reads what the round will want of histories at once: of these instances, and of those whose
    /// code the tick runs.
    pub fn fetch(&self, ids: &[InstanceId], now: Timestamp) {
        let mut wanted = self.0.upcoming(now, TIMERS_AT_ONCE);
        let is_wanted = |id: &InstanceId| {
            let shard = &self.0.shard;
            shard.instance(*id).is_none() || shard.is_cold(*id)
        };
        wanted.extend(ids.iter().copied().filter(is_wanted));
        if wanted.is_empty() {
            return;
        }
        let fetch = self.0.view.fetch(wanted.into_iter().collect());
        // The store answers at once; what could not be read now is read when it is needed.
        let _ = pin!(fetch).poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Handles a message; its requests are the named client's.
    ///
    /// # Errors
    /// When it would be set aside, or the partition left to a newer release.
    pub fn handle(
        &mut self,
        client: Option<&Arc<str>>,
        to: InstanceId,
        message: Message,
        now: Timestamp,
    ) -> Result<(), String> {
        self.0
            .handle(client, to, message, now)
            .map_err(|trouble| match trouble {
                Trouble::Poison(poison) => poison.reason,
                Trouble::Newer(why) => why,
            })
    }

    /// A turn that ran elsewhere has ended.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn turn_ended(&mut self, ended: TurnEnded, now: Timestamp) -> Result<(), StoreError> {
        self.0.turn_done(*ended.0, now)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn tick(
        &mut self,
        now: Timestamp,
        maintain: bool,
        is_alive: &dyn Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        self.0.tick(now, maintain, TIMERS_AT_ONCE, is_alive)
    }

    /// When it wants to be ticked again.
    #[must_use]
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.0.next_tick()
    }

    /// Ends a round.
    pub fn end_round(&mut self) -> Option<Written> {
        self.0.view.forget();
        self.0.end_round().map(Written::from)
    }

    /// A round that writes nothing.
    #[must_use]
    pub fn empty_round(&self) -> Written {
        self.0.empty_round().into()
    }

    /// Whether rounds are on their way to the store.
    #[must_use]
    pub fn has_undurable(&self) -> bool {
        self.0.has_undurable()
    }

    /// A round is durable.
    pub fn durable(&mut self, number: u64) {
        self.0.durable(number);
    }

    /// An attempt was given to the broker.
    pub fn in_broker(&mut self, id: CommandId, which: Which) {
        self.0.in_broker(id, which);
    }

    /// Gives the partition up in order.
    pub fn hand_over(&mut self, now: Timestamp) {
        self.0.hand_over(now);
    }

    /// The state of an instance, if it is in memory.
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.0.shard.instance(id)
    }
}

impl From<Round> for Written {
    fn from(round: Round) -> Self {
        let Round {
            commit,
            number,
            leaving,
        } = round;
        let Leaving {
            tasks,
            steps,
            cancels,
            answers,
            turns,
            messages,
        } = leaving;
        let cancels = cancels.into_iter();
        let cancels = cancels.map(|it| (it.id, it.which, it.service)).collect();
        Self {
            commit,
            number,
            tasks,
            steps,
            cancels,
            answers,
            turns,
            messages,
        }
    }
}
