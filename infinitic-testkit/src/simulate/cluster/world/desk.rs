//! Where attempts go and come from, in the order of the runtime's `cluster/desk.rs`.

use std::time::Duration;

use infinitic_core::{
    Attempt, AttemptResult, CommandId, FailureKind, FailureRecord, InstanceId, Message, Origin,
    Sequence, StepAttempt, TaskAttempt,
};
use infinitic_runtime::cluster::simulate::Parcel;
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::service::Ended;
use infinitic_runtime::workflow::StepJob;

use super::super::super::program::Call;
use super::super::broker::{Given, Owed};
use super::super::member::{Execution, Input, Local, Member};
use super::{Event, Own, World};

impl World {
    /// Starts here what stays at home. Gives back what goes to the broker.
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
            member.origins.entry(attempt.id).or_default();
            self.run_task(member, *attempt);
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
            return self.schedule(delay, Event::GivenBack { life, id });
        }
        self.watch.count("an attempt from the broker");
        let owed = Owed::Task { id };
        if given.redeliveries > self.profile.settings.deliveries_max {
            let failed = crashed(&attempt, given.redeliveries);
            return self.tell(member, attempt.id.instance, failed, vec![owed]);
        }
        member.origins.entry(attempt.id).or_default().push(owed);
        self.run_task(member, *attempt);
    }

    fn run_task(&mut self, member: &mut Member, attempt: TaskAttempt) {
        let TaskAttempt {
            id,
            sequence,
            attempt: number,
            ..
        } = attempt;
        let call = serde_json::from_slice::<(Call, u64)>(attempt.args.as_bytes());
        let label = call.map_or(0, |(call, _)| call.label);
        let took = self.took(id, label, sequence, number);
        match member.executor.task(attempt, took) {
            Some(ended) => self.runs_until(member, id, (sequence, number), ended),
            None => self.watch.violation(format!("task {id} is not hosted")),
        }
    }

    pub(super) fn run_step(&mut self, member: &mut Member, attempt: StepAttempt, job: &StepJob) {
        let StepAttempt {
            id,
            sequence,
            attempt: number,
            ..
        } = attempt;
        member.origins.insert(id, Vec::new());
        let label = attempt.name.as_str().strip_prefix("step-");
        let label = label.unwrap_or_default().parse().unwrap_or_default();
        let took = self.took(id, label, sequence, number);
        let ended = member.executor.step(attempt, job, took);
        self.runs_until(member, id, (sequence, number), ended);
    }

    /// How long an attempt takes, by its program.
    fn took(&self, id: CommandId, label: u32, sequence: Sequence, attempt: Attempt) -> Duration {
        let call = self.calls.get(&(id.instance, label));
        Duration::from_millis(call.map_or(0, |call| call.took_ms(sequence.0, attempt.0)))
    }

    fn runs_until(
        &mut self,
        member: &mut Member,
        id: CommandId,
        (sequence, attempt): (Sequence, Attempt),
        ended: Ended,
    ) {
        if member.draining {
            return;
        }
        // As the executor does: what is here already is ignored, what is older is replaced.
        if let Some(known) = member.running.get(&id)
            && (known.sequence, known.attempt) >= (sequence, attempt)
        {
            return;
        }
        self.trace(|_| format!("{} runs attempt {attempt} of {id}", member.id));
        let execution = Execution {
            sequence,
            attempt,
            message: ended.message,
        };
        member.running.insert(id, execution);
        let took = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
        let own = Own::Ends {
            id,
            sequence,
            attempt,
        };
        self.schedule_own(took, member.life, own);
    }

    pub(super) fn attempt_ends(
        &mut self,
        member: &mut Member,
        id: CommandId,
        sequence: Sequence,
        attempt: Attempt,
    ) {
        let is_this = member
            .running
            .get(&id)
            .is_some_and(|known| (known.sequence, known.attempt) == (sequence, attempt));
        if !is_this {
            return;
        }
        let Some(execution) = member.running.remove(&id) else {
            return;
        };
        match member.origins.remove(&id) {
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

    /// An attempt is not wanted any more. It may run here, or elsewhere.
    pub(super) fn cancel(&mut self, member: &mut Member, id: CommandId) {
        if member.running.remove(&id).is_some() {
            self.trace(|_| format!("{} cancels {id}", member.id));
        }
        if let Some(settles) = member.origins.remove(&id) {
            self.settle(member, settles);
        }
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
