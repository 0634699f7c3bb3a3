//! A partition in the hands of its owner: a shard, and what is between it and the broker.
//!
//! A plain value without threads or clock: packets and time go in, rounds come out. Threads and the
//! simulation drive the same thing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use infinitic_core::codec::DecodeError;
use infinitic_core::names::ServiceName;
use infinitic_core::{
    Answer, CommandId, InstanceId, Message, RequestId, StepAttempt, TaskAttempt, Timestamp,
};

use super::store::{Claim, MemberId, Part, PartCommit};
use super::view::PartView;
use super::wire::{Packet, map_requests};
use crate::backend::StoreError;
use crate::client::request_of;
use crate::worker::{
    Commit, Hosted, OnForeign, Outgoing, Place, Shard, ShardSettings, TurnAway, TurnDone, Which,
    recover, unreadable,
};
use crate::workflow::StepJob;

/// Whether a member of the fleet is alive, as far as is known.
pub(crate) type IsAlive<'a> = &'a dyn Fn(&str) -> bool;

/// A partition and its owner's memory of it.
pub(crate) struct Partition {
    pub(crate) part: Part,
    claim: Claim,
    me: MemberId,
    pub(crate) shard: Shard,
    pub(crate) view: Arc<PartView>,
    requests: Requests,
    /// Attempts that another member runs, until it says how they ended, or is gone. The end of an
    /// older attempt says nothing of them.
    held: BTreeMap<CommandId, (Which, String)>,
    deliveries_max: u32,
    /// Number of the last round.
    ended: u64,
}

/// What one round writes, and what leaves once that is durable.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) commit: PartCommit,
    /// Its number under this claim.
    pub(crate) number: u64,
    pub(crate) leaving: Leaving,
}

/// What leaves a partition.
#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "they come boxed from the engine, and go boxed to others"
)]
pub(crate) struct Leaving {
    pub(crate) tasks: Vec<Box<TaskAttempt>>,
    pub(crate) steps: Vec<(Box<StepAttempt>, StepJob)>,
    pub(crate) cancels: Vec<Cancel>,
    /// By client.
    pub(crate) answers: BTreeMap<Arc<str>, Vec<(RequestId, Answer)>>,
    /// Turns and steps for workers that host their version.
    pub(crate) turns: Vec<Box<TurnAway>>,
    /// Messages to itself.
    pub(crate) messages: Vec<(InstanceId, Message)>,
}

/// An attempt that is not wanted any more, and all before it.
#[derive(Debug)]
pub(crate) struct Cancel {
    pub(crate) id: CommandId,
    pub(crate) which: Which,
    /// None for a step.
    pub(crate) service: Option<ServiceName>,
}

/// A message that cannot be handled, and why.
#[derive(Debug)]
pub(crate) struct Poison {
    pub(crate) packet: Packet,
    pub(crate) reason: String,
}

/// What came of handling messages.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// These are set aside, the others were handled.
    Poison(Poison),
    /// A newer release has written something of this partition: it must be left to one.
    Newer(String),
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partition")
            .field("part", &self.part)
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

impl Partition {
    /// Takes a claimed partition over: reads what is open, and asks for what must go on.
    ///
    /// # Errors
    /// When its rows cannot be read.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are what a worker is made of, each once"
    )]
    pub(crate) fn take_over(
        part: Part,
        claim: Claim,
        view: Arc<PartView>,
        me: &MemberId,
        hosted: &Hosted,
        settings: &ShardSettings,
        on_foreign: OnForeign,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let settings = ShardSettings {
            first_commit: claim.epoch.first_commit(),
            cautious: false,
            ..settings.clone()
        };
        let deliveries_max = settings.deliveries_max;
        let rows: Arc<dyn crate::backend::ReadRows> = Arc::<PartView>::clone(&view);
        let mut shard = Shard::new(0, rows, hosted, settings, on_foreign);
        shard.let_rest(&me.0);
        shard.resume_later();
        recover(
            &*view,
            std::slice::from_mut(&mut shard),
            1,
            now,
            &mut |_| {},
        )?;
        shard.read_timers(now)?;
        view.forget();
        Ok(Self {
            part,
            claim,
            me: me.clone(),
            shard,
            view,
            requests: Requests::default(),
            held: BTreeMap::new(),
            deliveries_max,
            ended: 0,
        })
    }

    /// Whether rows of an instance must be read for a message to it: those of one that is not in
    /// memory, and of one whose code must be replayed.
    pub(crate) fn must_read(&self, what: &Message, to: InstanceId) -> bool {
        let runs_no_code = matches!(what, Message::ClientWaits { .. } | Message::Inspect { .. });
        match self.shard.instance(to) {
            Some(_) => !runs_no_code && self.shard.is_cold(to),
            None => true,
        }
    }

    /// The instances whose code the next tick runs and must replay.
    pub(crate) fn upcoming(&self, now: Timestamp, timers: usize) -> BTreeSet<InstanceId> {
        let ids = self.shard.due(now, timers).chain(self.shard.resumes_next());
        ids.filter(|id| self.shard.instance(*id).is_none() || self.shard.is_cold(*id))
            .collect()
    }

    /// Handles a message; its requests are the named client's.
    pub(crate) fn handle(
        &mut self,
        client: Option<&Arc<str>>,
        to: InstanceId,
        message: Message,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let mut inner = message.clone();
        if let Some(client) = client {
            map_requests(&mut inner, |request| self.requests.local(client, request));
        }
        match &inner {
            Message::AttemptEnded {
                id,
                sequence,
                attempt,
                ..
            } => self.hold_no_more(
                *id,
                Which {
                    sequence: *sequence,
                    attempt: *attempt,
                },
            ),
            // A member lost the round that gave this attempt to it, and never began it.
            Message::Redeliver { id, .. } => {
                if !self.is_with_another(*id) {
                    return Ok(());
                }
                self.held.remove(id);
                self.shard.displace(*id);
            }
            _ => {}
        }
        let request = request_of(&inner);
        match self.shard.handle(to, inner, now) {
            Ok(()) => Ok(()),
            Err(StoreError::NewerFormat(why)) => Err(Trouble::Newer(why)),
            // Who asks is told; nothing is lost by that.
            Err(error) if request.is_some() => {
                if let Some(request) = request {
                    self.shard.answer(request, unreadable(&error));
                }
                Ok(())
            }
            Err(error) => Err(Trouble::Poison(Poison {
                packet: Packet::Messages {
                    client: client.map_or_else(String::new, |client| client.to_string()),
                    messages: vec![(to, message)],
                },
                reason: error.to_string(),
            })),
        }
    }

    /// A turn that ran elsewhere has ended.
    ///
    /// # Errors
    /// When rows cannot be read: the turn is sent again by whoever reads them next.
    pub(crate) fn turn_done(&mut self, done: TurnDone, now: Timestamp) -> Result<(), StoreError> {
        self.shard.turn_done(done, now)
    }

    /// Lets time pass: code that is to run again, timers that are due (so many at most), records
    /// whose time is over.
    ///
    /// # Errors
    /// When rows cannot be read; what was not done is done later.
    pub(crate) fn tick(
        &mut self,
        now: Timestamp,
        maintain: bool,
        timers: usize,
        is_alive: IsAlive<'_>,
    ) -> Result<(), StoreError> {
        self.shard.resume(now)?;
        self.adopt_orphans(now, is_alive)?;
        self.shard.ring(now, timers)?;
        if maintain {
            if self.shard.wants_checkpoint() {
                self.shard.take_checkpoint(now);
            }
            self.shard.read_timers(now)?;
            self.release_held(now, is_alive)?;
            self.shard.purge(now)?;
        } else if self.shard.is_purging() {
            self.shard.purge_on(now)?;
        }
        Ok(())
    }

    /// When it wants to be ticked again; none when only something that arrives matters.
    pub(crate) fn next_tick(&self) -> Option<Timestamp> {
        if self.shard.is_purging() || self.shard.has_to_resume() {
            return Some(Timestamp::default());
        }
        self.shard.next_timer()
    }

    /// Attempts that were open when the partition changed hands: those in the broker's hands stay
    /// there, those that a living member runs are its own, and the others are given out again,
    /// counted.
    fn adopt_orphans(&mut self, now: Timestamp, is_alive: IsAlive<'_>) -> Result<(), StoreError> {
        for id in self.shard.take_orphans() {
            match self.shard.place(id) {
                Some((_, Place::Broker)) => {}
                // What this worker runs already, its executor takes no second time; what it has
                // forgotten, nobody else runs.
                Some((which, Place::Home(member))) if *member != self.me.0 && is_alive(member) => {
                    self.held.insert(id, (which, member.clone()));
                }
                Some((_, Place::Home(_))) | None => self.give_out_again(id, now)?,
            }
        }
        Ok(())
    }

    /// Whether an attempt stands as run by another member.
    fn is_with_another(&self, id: CommandId) -> bool {
        matches!(self.shard.place(id), Some((_, Place::Home(member))) if *member != self.me.0)
    }

    /// An attempt has ended, or is not wanted any more: it, and all before it, hold nothing up.
    fn hold_no_more(&mut self, id: CommandId, which: Which) {
        if self.held.get(&id).is_some_and(|(held, _)| *held <= which) {
            self.held.remove(&id);
        }
    }

    fn release_held(&mut self, now: Timestamp, is_alive: IsAlive<'_>) -> Result<(), StoreError> {
        let orphans: Vec<CommandId> = self
            .held
            .iter()
            .filter(|(_, (_, member))| !is_alive(member))
            .map(|(id, _)| *id)
            .collect();
        for id in orphans {
            self.held.remove(&id);
            self.give_out_again(id, now)?;
        }
        Ok(())
    }

    fn give_out_again(&mut self, id: CommandId, now: Timestamp) -> Result<(), StoreError> {
        self.shard.displace(id);
        let deliveries_max = self.deliveries_max;
        let message = Message::Redeliver { id, deliveries_max };
        self.shard.handle(id.instance, message, now)
    }

    /// An attempt was given to the broker, which has confirmed it.
    pub(crate) fn in_broker(&mut self, id: CommandId, which: Which) {
        self.shard.in_broker(id, which);
    }

    /// Whether rounds of it are on their way to the store.
    pub(crate) fn has_undurable(&self) -> bool {
        self.shard.has_undurable()
    }

    /// Ends a round.
    pub(crate) fn end_round(&mut self) -> Option<Round> {
        self.shard.end_round();
        let Commit {
            shard: _,
            number,
            history,
            ops,
            outgoing,
        } = self.shard.take_commit()?;
        self.ended = number;
        let mut leaving = Leaving::default();
        for item in outgoing {
            self.leave(item, &mut leaving);
        }
        let commit = PartCommit {
            part: self.part.clone(),
            epoch: self.claim.epoch,
            commit: self.claim.epoch.first_commit().plus(number),
            history,
            ops,
        };
        Some(Round {
            commit,
            number,
            leaving,
        })
    }

    fn leave(&mut self, item: Outgoing, leaving: &mut Leaving) {
        match item {
            Outgoing::Task(attempt) => {
                self.shard.displace(attempt.id);
                leaving.tasks.push(attempt);
            }
            Outgoing::Step(attempt, job) => leaving.steps.push((attempt, job)),
            Outgoing::CancelAttempt(id, which, service) => {
                self.hold_no_more(id, which);
                self.shard.displace(id);
                // One that was given out in this very round never leaves.
                leaving.tasks.retain(|attempt| attempt.id != id);
                leaving.cancels.push(Cancel { id, which, service });
            }
            Outgoing::Answer(request, answer) => {
                if let Some((client, request)) = self.requests.take(request) {
                    leaving
                        .answers
                        .entry(client)
                        .or_default()
                        .push((request, answer));
                }
            }
            Outgoing::Turn(turn) => leaving.turns.push(turn),
            Outgoing::Message(to, message) => leaving.messages.push((to, message)),
        }
    }

    /// A round without rows. When it is written all the same, the store compares the epoch unless
    /// nobody has written since the last round; then what this owner knows is all there is.
    pub(crate) fn empty_round(&self) -> Round {
        Round {
            commit: PartCommit {
                part: self.part.clone(),
                epoch: self.claim.epoch,
                commit: self.claim.epoch.first_commit().plus(self.ended),
                history: Vec::new(),
                ops: Vec::new(),
            },
            number: self.ended,
            leaving: Leaving::default(),
        }
    }

    /// A round of this claim is durable.
    pub(crate) fn durable(&mut self, number: u64) {
        self.shard.made_durable(number);
    }

    /// Gives the partition up in order: whoever takes it over finds all that is open, and where its
    /// tasks are.
    pub(crate) fn hand_over(&mut self, now: Timestamp) {
        self.shard.list_all(now);
    }

    /// Under which claim it is owned.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// Requests of clients, under numbers of this owner: each client counts its own.
#[derive(Debug, Default)]
struct Requests {
    next: u64,
    known: HashMap<RequestId, (Arc<str>, RequestId)>,
    numbers: HashMap<(Arc<str>, RequestId), RequestId>,
}

impl Requests {
    /// The number of a client's request; one that is repeated keeps its number.
    fn local(&mut self, client: &Arc<str>, request: RequestId) -> RequestId {
        let key = (Arc::clone(client), request);
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        self.next += 1;
        let local = RequestId(self.next);
        self.numbers.insert(key.clone(), local);
        self.known.insert(local, key);
        local
    }

    fn take(&mut self, local: RequestId) -> Option<(Arc<str>, RequestId)> {
        let key = self.known.remove(&local)?;
        self.numbers.remove(&key);
        Some(key)
    }
}

/// Whether a packet that does not decode was written by a newer release, which is no reason to set
/// it aside.
pub(crate) fn is_newer(error: &DecodeError) -> bool {
    matches!(error, DecodeError::NewerVersion { .. })
}
