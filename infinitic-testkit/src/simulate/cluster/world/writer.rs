//! A member's writer, in the order of the runtime's `cluster/writer.rs`: write, then tell the
//! engine, then let go, then (once the broker has confirmed) acknowledge.

use std::collections::BTreeMap;

use infinitic_core::CommandId;
use infinitic_core::names::ServiceName;
use infinitic_runtime::cluster::simulate::Parcel;
use infinitic_runtime::cluster::store::{PartCommit, Written};
use infinitic_runtime::cluster::transport::Topic;
use infinitic_runtime::worker::Which;

use super::super::Plant;
use super::super::broker::Owed;
use super::super::member::{Input, Job, Local, Member, Pending, Then, Writing};
use super::desk::which;
use super::{Event, Own, World};

impl World {
    /// Writes what is queued, unless a write is under way.
    pub(super) fn write_soon(&mut self, member: &mut Member) {
        while member.writing.is_none() && !member.jobs.is_empty() && !member.dead {
            let was_full = member.is_full();
            let batch = member.next_batch();
            if was_full {
                self.round_soon(member);
            }
            if batch.is_empty() {
                continue;
            }
            let commits: Vec<PartCommit> = batch
                .iter()
                .filter(|job| job.is_written())
                .map(|job| job.round.commit.clone())
                .collect();
            self.calls_made += 1;
            let call = self.calls_made;
            let has_rows = !commits.is_empty();
            member.writing = Some(Writing {
                call,
                tried: false,
                batch,
                commits,
            });
            if has_rows {
                self.call_write(member);
            } else {
                let result = Ok(Vec::new());
                self.schedule_own(0, member.life, Own::Written { call, result });
            }
        }
    }

    /// Calls the store. The call may get lost, hang, or lose its answer.
    fn call_write(&mut self, member: &mut Member) {
        if self.dies_at(member, "before a write") {
            return;
        }
        let Some(Writing { call, commits, .. }) = &member.writing else {
            return;
        };
        let (life, call, commits) = (member.life, *call, commits.clone());
        let mut delay = self.rng.below(12);
        let mut answers = true;
        if self.store_fails() {
            answers = false;
            let gives_up = self.rng.between(20, 5_000);
            let result = Err(());
            self.schedule_own(gives_up, life, Own::Written { call, result });
            match self.rng.below(3) {
                0 => return,
                1 => self.watch.count("an answer of the store lost"),
                _ => {
                    self.watch.count("a write hangs");
                    delay = self.rng.between(1_000, 30_000);
                }
            }
        }
        let event = Event::WriteArrives {
            life,
            call,
            commits,
            answers,
        };
        self.schedule(delay, event);
    }

    pub(super) fn write_arrives(
        &mut self,
        life: u64,
        call: u64,
        commits: &[PartCommit],
        answers: bool,
    ) {
        let result = if self.store_is_away() {
            Err(())
        } else {
            let now = self.store_clock();
            let written = self.store.write(commits, now);
            self.trace(|_| format!("the store took write {call} of life {life}: {written:?}"));
            Ok(written)
        };
        if answers {
            let delay = self.rng.below(12);
            self.schedule_own(delay, life, Own::Written { call, result });
        }
    }

    pub(super) fn write_again(&mut self, member: &mut Member, call: u64) {
        let Some(writing) = member.writing.as_mut().filter(|it| it.call == call) else {
            return;
        };
        self.calls_made += 1;
        writing.call = self.calls_made;
        writing.tried = true;
        self.call_write(member);
    }

    pub(super) fn written(
        &mut self,
        member: &mut Member,
        call: u64,
        result: Result<Vec<Written>, ()>,
    ) {
        if member.writing.as_ref().is_none_or(|it| it.call != call) {
            return;
        }
        let Ok(written) = result else {
            let pause = self.rng.between(50, 1_000);
            return self.schedule_own(pause, member.life, Own::WriteAgain { call });
        };
        if self.dies_at(member, "after a write") {
            return;
        }
        let Some(Writing { batch, tried, .. }) = member.writing.take() else {
            return;
        };
        let mut written = written.into_iter();
        for job in batch {
            let written = match job.is_written() {
                false => Written::Done { lost: Vec::new() },
                true => written.next().unwrap_or(Written::NotOwner),
            };
            let (part, epoch) = job.claim();
            if written != (Written::Done { lost: Vec::new() }) {
                self.trace(|_| format!("{} cannot write {part}: {written:?}", member.id));
                self.watch.count("a write refused");
                member.lost.insert((part.clone(), epoch));
                member.inbox.push_back(Input::Lost { part, epoch });
                if tried {
                    member.give_out_again(&job, self.profile.settings.deliveries_max);
                }
                member.pass_on(job);
                continue;
            }
            let number = job.round.number;
            member.inbox.push_back(Input::Durable {
                part,
                epoch,
                number,
            });
            self.release(member, job);
            if member.dead {
                return;
            }
        }
        self.round_soon(member);
        self.write_soon(member);
    }

    /// Lets go what is durable.
    fn release(&mut self, member: &mut Member, mut job: Job) {
        let (missing, in_broker) = self.lets_go(member, &mut job);
        if member.dead {
            return;
        }
        let (part, epoch) = job.claim();
        let settles = job.settles;
        if missing == 0 && !job.last {
            return self.settle(member, settles);
        }
        let then = Then::Left {
            part,
            epoch,
            settles,
            in_broker,
            last: job.last,
        };
        // What was sent names the number that comes next.
        let pending = self.pending(member, missing, then);
        if missing == 0 {
            self.done(member, pending);
        }
    }

    /// Sends what a round sends. Gives how many confirmations are to come, for the pending that is
    /// made next; and the attempts that went to the broker.
    pub(super) fn lets_go(
        &mut self,
        member: &mut Member,
        job: &mut Job,
    ) -> (usize, Vec<(CommandId, Which)>) {
        let requests = &self.requests;
        let clients = &self.clients;
        let instance_of = |request: u64| {
            let asked = requests.get(&infinitic_core::RequestId(request))?;
            Some(clients[asked.client].id)
        };
        self.watch.leaves(&self.store, &job.round, &instance_of);
        let part = job.round.commit.part.clone();
        // What is not wanted first: a newer attempt of the same task may be among the new ones.
        let cancels = self.cancel_all(member, std::mem::take(&mut job.round.cancels));
        let away = self.keep_home(member, std::mem::take(&mut job.round.tasks));
        for (attempt, step) in std::mem::take(&mut job.round.steps) {
            self.run_step(member, *attempt, &step, Vec::new());
        }
        let mut sends: Vec<(Topic, Parcel)> = Vec::new();
        for (service, ids) in cancels {
            sends.push((Topic::TaskControl(service), Parcel::Cancel(ids)));
        }
        for (client, answers) in std::mem::take(&mut job.round.answers) {
            sends.push((Topic::Replies(client.to_string()), Parcel::Answers(answers)));
        }
        for turn in std::mem::take(&mut job.round.turns) {
            let topic = Topic::Turns(self.workflow.clone(), 0);
            sends.push((topic, Parcel::Turn(turn)));
        }
        for (to, message) in std::mem::take(&mut job.round.messages) {
            member.inbox.push_back(Input::Local(Local {
                part: part.clone(),
                to,
                message,
                settles: Vec::new(),
            }));
        }
        let ids = away.iter().map(|it| (it.id, which(it))).collect();
        let away = away.into_iter().map(|attempt| {
            let topic = Topic::Tasks(attempt.service.clone());
            (topic, Parcel::Task(attempt))
        });
        sends.extend(away);
        let count = sends.len();
        let pending = self.calls_made + 1;
        for (topic, parcel) in sends {
            if self.dies_at(member, "in the middle of what it sends") {
                return (0, Vec::new());
            }
            self.send(member, topic, parcel.encode(), Some(pending));
        }
        (count, ids)
    }

    fn cancel_all(
        &mut self,
        member: &mut Member,
        cancels: Vec<(CommandId, Which, Option<ServiceName>)>,
    ) -> BTreeMap<ServiceName, Vec<(CommandId, Which)>> {
        let mut others: BTreeMap<_, Vec<(CommandId, Which)>> = BTreeMap::new();
        for (id, which, service) in cancels {
            let was_here = self.cancel(member, id, which);
            if let Some(service) = service.filter(|_| !was_here) {
                others.entry(service).or_default().push((id, which));
            }
        }
        others
    }

    /// Something that waits for confirmations; its number is the next one.
    pub(super) fn pending(&mut self, member: &mut Member, missing: usize, mut then: Then) -> u64 {
        if self.plants(Plant::AcknowledgeBeforePublish) {
            let (Then::Left { settles, .. } | Then::Forwarded(settles)) = &mut then;
            let early = std::mem::take(settles);
            self.settle(member, early);
        }
        self.calls_made += 1;
        member
            .pendings
            .insert(self.calls_made, Pending { missing, then });
        self.calls_made
    }

    /// The broker has confirmed a message.
    pub(super) fn confirmed(&mut self, member: &mut Member, number: u64) {
        let Some(pending) = member.pendings.get_mut(&number) else {
            return;
        };
        pending.missing = pending.missing.saturating_sub(1);
        if pending.missing == 0 {
            self.done(member, number);
        }
    }

    fn done(&mut self, member: &mut Member, number: u64) {
        let Some(Pending { then, .. }) = member.pendings.remove(&number) else {
            return;
        };
        if self.dies_at(member, "before an acknowledgement") {
            return;
        }
        match then {
            Then::Forwarded(settles) => self.settle(member, settles),
            Then::Left {
                part,
                epoch,
                settles,
                in_broker,
                last,
            } => {
                self.settle(member, settles);
                if !in_broker.is_empty() {
                    member.inbox.push_back(Input::InBroker {
                        part: part.clone(),
                        epoch,
                        ids: in_broker,
                    });
                }
                if last {
                    member.inbox.push_back(Input::Last { part, epoch });
                }
                self.round_soon(member);
            }
        }
    }

    /// Acknowledges messages.
    pub(super) fn settle(&mut self, member: &Member, owed: Vec<Owed>) {
        if owed.is_empty() {
            return;
        }
        let life = member.life;
        if !self.healing && self.rng.chance(self.profile.losses) {
            for owed in &owed {
                self.broker.unheard(life, owed);
            }
            return;
        }
        let delay = self.rng.below(200);
        self.schedule(delay, Event::Acknowledged { life, owed });
    }
}
