//! Where attempts go and come from, in the order of the runtime's `cluster/desk.rs`.

use std::time::Duration;

use infinitic_core::{
    Attempt, AttemptResult, CommandId, FailureKind, FailureRecord, InstanceId, Message, Origin,
    Sequence, StepAttempt, TaskAttempt,
};
use infinitic_runtime::cluster::simulate::{Elsewhere, Parcel, run_elsewhere};
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::cluster::transport::Topic;
use infinitic_runtime::service::Ended;
use infinitic_runtime::worker::Which;
use infinitic_runtime::workflow::StepJob;

use super::super::super::code::set_broken;
use super::super::super::program::Call;
use super::super::broker::{Given, Owed, Pool};
use super::super::member::{Execution, Input, Local, Member, Then};
use super::{Event, Own, World};

impl World {
    /// Starts here what stays at home. Gives back what goes to the broker.
    #[expect(clippy::vec_box, reason = "as rounds hold them, without a copy")]
    pub(super) fn keep_home(
        &mut self,
        member: &mut Member,
        tasks: Vec<Box<TaskAttempt>>,
    ) -> Vec<Box<TaskAttempt>> {
        let mut away = Vec::new();
        for attempt in tasks {
            let stays =
                member.hosts_service && !member.draining && self.rng.chance(self.profile.at_home);
            if !stays {
                away.push(attempt);
                continue;
            }
            self.watch.count("an attempt at home");
            if self.notes(member, (attempt.id, which(&attempt)), Vec::new()) {
                self.run_task(member, *attempt);
            }
        }
        away
    }

    /// The broker has delivered an attempt.
    pub(super) fn taken(&mut self, member: &mut Member, given: Given) {
        let Some(Parcel::Task(attempt)) = Parcel::decode(&given.payload) else {
            let what = format!("the topic of tasks has got something else: {given:?}");
            return self.watch.violation(what);
        };
        let (life, id) = (member.life, given.id);
        if member.draining {
            let delay = self.rng.below(20);
            let pool = Pool::Tasks;
            return self.schedule(delay, Event::GivenBack { life, pool, id });
        }
        self.watch.count("an attempt from the broker");
        let pool = Pool::Tasks;
        let owed = Owed::Shared { pool, id };
        if given.redeliveries > self.profile.settings.deliveries_max {
            let failed = crashed(&attempt, given.redeliveries);
            return self.tell(member, attempt.id.instance, failed, vec![owed]);
        }
        if self.notes(member, (attempt.id, which(&attempt)), vec![owed]) {
            self.run_task(member, *attempt);
        }
    }

    /// Notes where an attempt has come from; false when a later one is here.
    fn notes(
        &mut self,
        member: &mut Member,
        (id, which): (CommandId, Which),
        owed: Vec<Owed>,
    ) -> bool {
        let of_task = member.origins.keys().filter(|(known, _)| *known == id);
        let known: Vec<_> = of_task.copied().collect();
        if known.iter().any(|(_, known)| *known > which) {
            self.settle(member, owed);
            return false;
        }
        let older = known.iter().filter(|(_, known)| *known < which);
        let void = older.filter_map(|key| member.origins.remove(key));
        let void: Vec<Owed> = void.flatten().collect();
        self.settle(member, void);
        let origin = member.origins.entry((id, which)).or_default();
        origin.extend(owed);
        true
    }

    /// The broker has delivered a turn, or a step of which the code is wanted.
    pub(super) fn turn_taken(&mut self, member: &mut Member, given: Given) {
        let Some(Parcel::Turn(turn)) = Parcel::decode(&given.payload) else {
            let what = format!("the topic of turns has got something else: {given:?}");
            return self.watch.violation(what);
        };
        let owed = Owed::Shared {
            pool: Pool::Turns,
            id: given.id,
        };
        set_broken(member.broken);
        match run_elsewhere(turn, &self.hosted) {
            Elsewhere::Ended(ended) => {
                let topic = Topic::Inbox(self.part_of(ended.instance()));
                let packet = Parcel::TurnEnded(ended).encode();
                let pending = self.pending(member, 1, Then::Forwarded(vec![owed]));
                self.send(member, topic, packet, Some(pending));
            }
            Elsewhere::Step(attempt, job) => {
                self.run_step(member, *attempt, &job, vec![owed]);
            }
            // The owner asks again when it is still wanted.
            Elsewhere::Nothing => self.settle(member, vec![owed]),
        }
    }

    fn run_task(&mut self, member: &mut Member, attempt: TaskAttempt) {
        let (id, which) = (attempt.id, which(&attempt));
        let call = serde_json::from_slice::<(Call, u64)>(attempt.args.as_bytes());
        let label = call.map_or(0, |(call, _)| call.label);
        let took = self.took(id, label, which);
        match member.executor.task(attempt, took) {
            Some(ended) => self.runs_until(member, id, which, ended),
            None => self.watch.violation(format!("task {id} is not hosted")),
        }
    }

    pub(super) fn run_step(
        &mut self,
        member: &mut Member,
        attempt: StepAttempt,
        job: &StepJob,
        settles: Vec<Owed>,
    ) {
        let (id, which) = (
            attempt.id,
            Which {
                sequence: attempt.sequence,
                attempt: attempt.attempt,
            },
        );
        if !self.notes(member, (id, which), settles) {
            return;
        }
        let label = attempt.name.as_str().strip_prefix("step-");
        let label = label.unwrap_or_default().parse().unwrap_or_default();
        let took = self.took(id, label, which);
        let ended = member.executor.step(attempt, job, took);
        self.runs_until(member, id, which, ended);
    }

    /// How long an attempt takes, by its program.
    fn took(&self, id: CommandId, label: u32, which: Which) -> Duration {
        let call = self.calls.get(&(id.instance, label));
        let took = call.map_or(0, |call| call.took_ms(which.sequence.0, which.attempt.0));
        Duration::from_millis(took)
    }

    fn runs_until(&mut self, member: &mut Member, id: CommandId, which: Which, ended: Ended) {
        if member.draining {
            return;
        }
        // As the executor does: what is here already is ignored, what is older is replaced.
        if let Some(known) = member.running.get(&id)
            && known.which >= which
        {
            return;
        }
        let attempt = which.attempt;
        self.trace(|_| format!("{} runs attempt {attempt} of {id}", member.id));
        let execution = Execution {
            which,
            message: ended.message,
        };
        member.running.insert(id, execution);
        let took = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
        self.schedule_own(took, member.life, Own::Ends { id, which });
    }

    pub(super) fn attempt_ends(&mut self, member: &mut Member, id: CommandId, which: Which) {
        if member.running.get(&id).is_none_or(|it| it.which != which) {
            return;
        }
        let Some(execution) = member.running.remove(&id) else {
            return;
        };
        match member.origins.remove(&(id, which)) {
            Some(settles) => self.tell(member, id.instance, execution.message, settles),
            None => self.watch.count("an attempt ended that nobody gave out"),
        }
    }

    /// Brings a message to its instance, wherever that lives.
    fn tell(&mut self, member: &mut Member, to: InstanceId, message: Message, settles: Vec<Owed>) {
        member.inbox.push_back(Input::Local(Local {
            part: self.part_of(to),
            to,
            message,
            settles,
        }));
        self.round_soon(member);
    }

    pub(super) fn part_of(&self, id: InstanceId) -> Part {
        Part::of(&self.workflow, id, self.profile.parts)
    }

    /// An attempt, and all before it, are not wanted any more. Says whether one was here.
    pub(super) fn cancel(&mut self, member: &mut Member, id: CommandId, which: Which) -> bool {
        if member.running.get(&id).is_some_and(|it| it.which <= which) {
            member.running.remove(&id);
            self.trace(|_| format!("{} cancels {id}", member.id));
        }
        let first = Which {
            sequence: Sequence(0),
            attempt: Attempt(0),
        };
        let meant = member.origins.range((id, first)..=(id, which));
        let meant: Vec<_> = meant.map(|(key, _)| *key).collect();
        let settles = meant.iter().filter_map(|key| member.origins.remove(key));
        let settles: Vec<Owed> = settles.flatten().collect();
        self.settle(member, settles);
        !meant.is_empty()
    }
}

/// Which attempt it is.
pub(super) fn which(attempt: &TaskAttempt) -> Which {
    Which {
        sequence: attempt.sequence,
        attempt: attempt.attempt,
    }
}

/// The end of an attempt that took too many workers with it.
fn crashed(attempt: &TaskAttempt, redeliveries: u32) -> Message {
    let origin = Origin::Task {
        id: attempt.id,
        service: attempt.service.clone(),
        task: attempt.task.clone(),
        worker: String::new(),
        attempts: attempt.attempt.0 + 1,
    };
    let why = format!("each of {redeliveries} workers went away");
    let mut failure = FailureRecord::new(FailureKind::Crashed, why).at(origin);
    failure.previous.clone_from(&attempt.previous);
    Message::AttemptEnded {
        id: attempt.id,
        sequence: attempt.sequence,
        attempt: attempt.attempt,
        result: AttemptResult::Failed {
            failure: Box::new(failure),
            retry_after_ms: None,
        },
    }
}
