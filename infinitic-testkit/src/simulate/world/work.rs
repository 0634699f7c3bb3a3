//! What a process does: rounds of its shards, writes of its committer, attempts of tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use infinitic_core::{
    Attempt, AttemptResult, CommandId, InstanceId, Message, Sequence, StepAttempt, TaskAttempt,
    Timestamp,
};
use infinitic_runtime::worker::{Commit, Outgoing, shard_of};

use super::life::died;
use super::{Event, World};
use crate::simulate::Plant;
use crate::simulate::plant;
use crate::simulate::process::{Execution, Lane, Mail, Process, Wrote, lock};

/// How often a shard looks for checkpoints and purges, as in a worker.
const MAINTENANCE_EVERY: Duration = Duration::from_secs(2);
/// Timers rung in one round at most: few, so that rounds end in the middle of many.
const TIMERS_AT_ONCE: usize = 8;

/// How late the copy of an attempt's end may come: soon, or while the same task runs again that was
/// started anew after a failed end, which takes from milliseconds to seconds.
const LATE_MS: [u64; 4] = [20, 500, 500, 10_000];

impl Process {
    /// Puts a message into the mailbox of the shard that owns its instance.
    pub(super) fn deliver(&mut self, to: InstanceId, message: Message, fresh: bool) -> usize {
        let lane = shard_of(to, self.lanes.len());
        self.lanes[lane].mailbox.push(Mail { to, message, fresh });
        lane
    }
}

impl World {
    /// A message arrives, if somebody is there to take it.
    pub(super) fn arrives(&mut self, life: Option<u64>, to: InstanceId, message: Message) {
        self.arriving -= 1;
        if life.is_some_and(|life| self.life != life) {
            return;
        }
        // As in a worker: a start is the first message of its id, and only the first copy is.
        let is_start = matches!(message, Message::Start { .. });
        let Some(process) = &mut self.process else {
            return;
        };
        let fresh = self.watch.arrives_first(to) && is_start;
        let lane = process.deliver(to, message, fresh);
        let soon = self.rng.below(4);
        self.round_in(lane, soon);
    }

    /// Plans a round of a shard, unless an earlier one is planned.
    pub(super) fn round_in(&mut self, lane: usize, delay: u64) {
        let at = self.now + delay;
        let Some(process) = &mut self.process else {
            return;
        };
        if process.lanes[lane]
            .round_at
            .is_some_and(|planned| planned <= at)
        {
            return;
        }
        process.lanes[lane].round_at = Some(at);
        let life = self.life;
        self.schedule(delay, Event::Round { life, lane });
    }

    pub(super) fn every_lane_soon(&mut self) {
        let lanes = self
            .process
            .as_ref()
            .map_or(0, |process| process.lanes.len());
        for lane in 0..lanes {
            let soon = self.rng.below(3);
            self.round_in(lane, soon);
        }
    }

    pub(super) fn round_if(&mut self, life: u64, lane: usize) {
        let planned = self
            .process
            .as_ref()
            .map(|process| process.lanes[lane.min(process.lanes.len() - 1)].round_at);
        if self.lives(life) && planned == Some(Some(self.now)) {
            self.round(lane);
        }
    }

    /// One round of a shard: what its thread does between two looks at its mailbox.
    pub(super) fn round(&mut self, index: usize) {
        let now = self.clock();
        let Some(process) = &mut self.process else {
            return;
        };
        let lane = &mut process.lanes[index];
        lane.round_at = None;
        if self.options.plant == Some(Plant::ForgetSequences) {
            let (shard, store) = (&lane.shard, &self.store);
            plant::forget_sequences(&mut lane.mailbox, |id| {
                let known = shard.instance(id).cloned();
                known.or_else(|| store.instance(id))
            });
        }
        let repeated = plant::repeated(&lane.mailbox);
        let round = catch_unwind(AssertUnwindSafe(|| handle_round(lane, now)));
        let Ok(commit) = died(round) else {
            return self.dies("in a round");
        };
        if let Some(mut commit) = commit {
            if self.options.plant == Some(Plant::DeliverTwice) {
                plant::deliver_twice(&mut commit, &repeated);
            }
            lock(&process.committer).submit(commit);
        }
        let durable = lock(&process.committer).durable[index];
        lane.shard.made_durable(durable);
        let wake = lane.shard.next_timer();
        let is_busy = lane.shard.wants_checkpoint() || lane.shard.has_suspects();
        let is_purging = lane.shard.is_purging();
        let has_mail = !lane.mailbox.is_empty();
        if let Some(due) = wake {
            let delay = self.until(due).max(1);
            self.round_in(index, delay);
        }
        if is_purging {
            self.round_in(index, 1);
        }
        if is_busy {
            self.round_in(index, 2_000);
        }
        if has_mail {
            // The store could not be read.
            let later = self.rng.between(20, 200);
            self.round_in(index, later);
        }
        self.write_soon();
    }

    /// Plans the next write, if there is something to write or to let go, and none is under way.
    pub(super) fn write_soon(&mut self) {
        let life = self.life;
        let Some(process) = &mut self.process else {
            return;
        };
        if process.is_writing || lock(&process.committer).is_idle() {
            return;
        }
        process.is_writing = true;
        let has_work = lock(&process.committer).has_work();
        if has_work {
            let delay = self.rng.below(12);
            self.schedule(delay, Event::Write { life });
        } else {
            self.schedule(0, Event::Release { life });
        }
        if self.options.plant == Some(Plant::PublishBeforeCommit) {
            self.let_go();
        }
    }

    pub(super) fn write(&mut self) {
        let life = self.life;
        let Some(process) = &mut self.process else {
            return;
        };
        let wrote = lock(&process.committer).write();
        match wrote {
            Wrote::Nothing | Wrote::Durable => {
                let delay = self.rng.below(3);
                self.schedule(delay, Event::Release { life });
            }
            Wrote::Failed => {
                self.watch.count("a write failed");
                let delay = self.rng.between(50, 1_000);
                self.schedule(delay, Event::Write { life });
            }
            Wrote::Died => self.dies("around a write"),
        }
    }

    /// The committer lets go what is durable.
    pub(super) fn release(&mut self) {
        if !self.let_go() {
            return self.dies("in the middle of a release");
        }
        let Some(process) = &mut self.process else {
            return;
        };
        process.is_writing = false;
        if lock(&process.committer).is_idle() {
            self.compare();
        }
        self.write_soon();
    }

    /// False when the process dies in the middle.
    fn let_go(&mut self) -> bool {
        while let Some(process) = &mut self.process {
            let Some(item) = lock(&process.committer).outbox.pop_front() else {
                break;
            };
            if lock(&self.dice).strikes("in a release") {
                return false;
            }
            self.leaves(item);
        }
        true
    }

    /// One thing leaves the process, or goes to its executor.
    fn leaves(&mut self, item: Outgoing) {
        self.trace(|_| format!("leaves: {item:?}"));
        self.watch
            .leaves(&self.store, &item, &self.clients, &self.requests);
        match item {
            Outgoing::Task(attempt) => self.run_task(*attempt),
            Outgoing::Step(attempt, job) => {
                let StepAttempt {
                    id,
                    sequence,
                    attempt: number,
                    ..
                } = *attempt;
                let label = attempt
                    .name
                    .as_str()
                    .strip_prefix("step-")
                    .unwrap_or_default();
                let label = label.parse().unwrap_or_default();
                let took = self.took(id, label, sequence, number);
                let Some(process) = &self.process else {
                    return;
                };
                let ended = process.executor.step(*attempt, &job, took);
                self.runs_until(id, sequence, number, ended);
            }
            Outgoing::CancelAttempt(id, ..) => {
                if let Some(process) = &mut self.process {
                    process.running.remove(&id);
                }
            }
            Outgoing::Answer(request, answer) => {
                for _ in 0..self.copies() {
                    let delay = self.delay(50);
                    let answer = Box::new(answer.clone());
                    self.schedule(delay, Event::Told { request, answer });
                }
            }
            // One process alone sends no turns away.
            Outgoing::Turn(_) => {}
            Outgoing::Message(to, message) => {
                let event = Event::Arrives {
                    life: Some(self.life),
                    to,
                    message: Box::new(message),
                };
                self.schedule(0, event);
            }
        }
    }

    fn run_task(&mut self, attempt: TaskAttempt) {
        let TaskAttempt {
            id,
            sequence,
            attempt: number,
            ..
        } = attempt;
        let label = self.watch.task_leaves(&attempt);
        let took = self.took(id, label, sequence, number);
        let Some(process) = &self.process else {
            return;
        };
        match process.executor.task(attempt, took) {
            Some(ended) => self.runs_until(id, sequence, number, ended),
            None => self.watch.violation(format!("task {id} is not hosted")),
        }
    }

    /// How long an attempt takes, by its program.
    fn took(&self, id: CommandId, label: u32, sequence: Sequence, attempt: Attempt) -> Duration {
        let call = self.calls.get(&(id.instance, label));
        Duration::from_millis(call.map_or(0, |call| call.took_ms(sequence.0, attempt.0)))
    }

    fn runs_until(
        &mut self,
        id: CommandId,
        sequence: Sequence,
        attempt: Attempt,
        ended: infinitic_runtime::service::Ended,
    ) {
        let life = self.life;
        let Some(process) = &mut self.process else {
            return;
        };
        // As the executor does: what is here already is ignored, what is older is replaced.
        if let Some(known) = process.running.get(&id)
            && (known.sequence, known.attempt) >= (sequence, attempt)
        {
            return;
        }
        let execution = Execution {
            sequence,
            attempt,
            message: ended.message,
        };
        process.running.insert(id, execution);
        let took = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
        let event = Event::Ends {
            life,
            id,
            sequence,
            attempt,
        };
        self.schedule(took, event);
    }

    pub(super) fn attempt_ends(&mut self, id: CommandId, sequence: Sequence, attempt: Attempt) {
        let Some(process) = &mut self.process else {
            return;
        };
        let is_this = process
            .running
            .get(&id)
            .is_some_and(|known| (known.sequence, known.attempt) == (sequence, attempt));
        if !is_this {
            return;
        }
        let Some(execution) = process.running.remove(&id) else {
            return;
        };
        self.trace(|_| format!("attempt {attempt} of {id} ends: {:?}", execution.message));
        let life = Some(self.life);
        // Most of all, the end of a task comes twice that may be started anew.
        let is_final = matches!(
            execution.message,
            Message::AttemptEnded {
                result: AttemptResult::Failed {
                    retry_after_ms: None,
                    ..
                },
                ..
            }
        );
        let repeats = is_final && !self.healing && self.profile.copies > 0;
        let copies = match repeats && self.rng.chance(800) {
            true => 2,
            false => self.copies(),
        };
        for copy in 0..copies {
            let usual = match copy {
                0 => 3,
                _ => self.rng.pick(&LATE_MS),
            };
            let delay = self.delay(usual);
            let event = Event::Arrives {
                life,
                to: id.instance,
                message: Box::new(execution.message.clone()),
            };
            self.schedule(delay, event);
        }
    }
}

/// What a shard's thread does in one round; the order is that of `Shared::drive` in
/// `worker/node.rs`.
fn handle_round(lane: &mut Lane, now: Timestamp) -> Option<Commit> {
    let shard = &mut lane.shard;
    let mut again = Vec::new();
    for mail in lane.mailbox.drain(..) {
        let Mail { to, message, fresh } = mail.clone();
        if shard.handle_known(to, message, now, fresh).is_err() {
            // The store could not be read: nothing has changed, it is handled again.
            again.push(mail);
        }
    }
    lane.mailbox = again;
    // A fault of the store leaves timers armed and suspects waiting.
    shard.ring(now, TIMERS_AT_ONCE).ok();
    if shard.is_cautious() {
        shard.examine_suspects(now).ok();
    }
    if now.since(lane.maintained) >= MAINTENANCE_EVERY || now < lane.maintained {
        lane.maintained = now;
        if shard.wants_checkpoint() {
            shard.take_checkpoint(now);
        }
        shard.purge(now).ok();
    } else if shard.is_purging() {
        shard.purge_on(now).ok();
    }
    shard.take_commit()
}
