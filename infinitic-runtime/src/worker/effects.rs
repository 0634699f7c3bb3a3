//! What a shard does with what the engine asks: at once, or with the commit of the round.

use infinitic_core::{Answer, Effect, InstanceId, Message, RequestId, StepAttempt, Timestamp};

use super::commit::Outgoing;
use super::resting::Which;
use super::shard::Shard;
use crate::backend::StoreError;

impl Shard {
    pub(super) fn carry_out_for_nobody(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer { request, answer } = effect {
                self.outgoing.push(Outgoing::Answer(request, answer));
            }
        }
    }

    /// Does what the engine asks, or keeps it for the commit. Answers the turn's end, if one was
    /// asked.
    pub(super) fn carry_out(
        &mut self,
        id: InstanceId,
        effect: Effect,
        now: Timestamp,
    ) -> Result<Option<Message>, StoreError> {
        match effect {
            Effect::RunTurn {
                run,
                delivery,
                replay,
            } => {
                return Ok(Some(self.run_turn(id, run, delivery, replay, now)));
            }
            Effect::DropRun { run: _ } => self.drop_live(id),
            Effect::DispatchTask(attempt) => {
                // Before its commit is made, which may say where it is. A later attempt changes no
                // history: its instance rests no more all the same.
                self.displace(attempt.id);
                self.list_if_resting(id);
                self.outgoing.push(Outgoing::Task(attempt));
            }
            Effect::RunStep(attempt) => self.run_step(id, attempt),
            Effect::Suspect { id } => match &mut self.resting {
                Some(resting) => resting.orphans.push(id),
                None => self.suspects.add(id),
            },
            Effect::CancelAttempt {
                id,
                sequence,
                attempt,
                service,
            } => {
                let which = Which { sequence, attempt };
                self.outgoing
                    .push(Outgoing::CancelAttempt(id, which, service));
            }
            Effect::ArmTimer { timer, due } => {
                self.timers.insert((due, timer));
            }
            Effect::DropTimer { timer, due } => {
                self.timers.remove(&(due, timer));
                self.unindex(due, timer);
            }
            Effect::Answer { request, answer } => {
                self.outgoing.push(Outgoing::Answer(request, answer));
            }
            Effect::EndInstance => {
                let slot = self.slots.get(&id);
                let rows = slot.map_or(0, |slot| slot.rows + 1);
                // The instance's own clock, which does not run back: recovery counts from it, too.
                let instance = slot.and_then(|slot| slot.instance.as_ref());
                let ended_at = instance.map_or(now, |instance| instance.changed_at);
                let purge_at = ended_at + self.settings.retention;
                if self.checkpoint.ended(id, rows, purge_at) {
                    self.list_end(id);
                }
            }
            Effect::ReopenInstance => self.checkpoint.reopened(id, &mut self.ops),
        }
        Ok(None)
    }

    fn run_step(&mut self, id: InstanceId, attempt: Box<StepAttempt>) {
        let step = attempt.id;
        let slot = self.slots.get(&id);
        let live = slot.and_then(|slot| slot.live.as_ref());
        match live.and_then(|live| live.step(attempt.id.position)) {
            Some(job) => self.outgoing.push(Outgoing::Step(attempt, job)),
            // Its future was dropped meanwhile (the code stands still): recovery or retry_turn asks
            // again.
            None if self.send_step(id, attempt) => {}
            None => tracing::debug!(step = %step, "an open step has no live future"),
        }
    }

    /// Tells a client something that is no answer of the engine.
    pub(crate) fn answer(&mut self, request: RequestId, answer: Answer) {
        self.outgoing.push(Outgoing::Answer(request, answer));
    }

    pub(super) fn drop_live(&mut self, id: InstanceId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && slot.live.take().is_some()
        {
            self.warm -= 1;
        }
    }
}
