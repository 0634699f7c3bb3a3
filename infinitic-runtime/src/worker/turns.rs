//! A shard's turns: on the live future, or by replay of the history.

use std::sync::Arc;
use std::time::Duration;

use infinitic_core::engine;
use infinitic_core::instance::VERSION_OPEN;
use infinitic_core::{
    Cut, Entry, FailureKind, FailureRecord, History, Instance, InstanceId, Message, Outcome,
    Position, RunHistory, RunNo, Steering, StepAttempt, Timestamp, TurnReport,
};

use super::load;
use super::settings::{Replay, ShardSettings};
use super::shard::Shard;
use crate::backend::StoreError;
use crate::workflow::{LiveRun, Replayed, RunInfo, foreign_explanation, stopped};

impl Shard {
    pub(super) fn run_turn(
        &mut self,
        id: InstanceId,
        run: RunNo,
        delivery: Option<(Position, Outcome, Timestamp)>,
        replay: bool,
        now: Timestamp,
    ) -> Message {
        if let Some(why) = self.barred(id) {
            let report = stopped(why.to_owned());
            return Message::TurnEnded { run, report };
        }
        if let Some((_, _, report)) = self
            .given_turn
            .take_if(|given| (given.0, given.1) == (id, run))
        {
            return Message::TurnEnded { run, report };
        }
        if replay {
            self.drop_live(id);
        }
        if self.settings.cautious {
            self.before_turn(id, run);
        }
        self.running.begin(id, run, now);
        let slot = self
            .slots
            .get_mut(&id)
            .expect("turns are asked of loaded instances");
        let by_code = match (&mut slot.live, delivery) {
            (Some(live), Some(delivery)) => Ok(live.turn(Some(delivery))),
            (Some(_), None) => Ok(TurnReport::default()),
            (None, _) => self.replay(id, run),
        };
        let may_retry = by_code.is_ok();
        let report = by_code.unwrap_or_else(stopped);
        self.running.end();
        if self.settings.cautious {
            self.after_turn(id, run);
        }
        let slot = self
            .slots
            .get_mut(&id)
            .expect("nothing removes a slot during its turn");
        let must_stay = slot.live.as_ref().is_some_and(LiveRun::has_open_steps);
        if report.stopped.is_some() || (self.settings.replay == Replay::Always && !must_stay) {
            self.drop_live(id);
        }
        match report.stopped {
            Some(explanation) if may_retry => self.failed(id, run, explanation),
            // It goes on elsewhere: nothing that anybody must look at.
            Some(explanation) if self.resting.is_some() => {
                let report = TurnReport {
                    commands: Vec::new(),
                    stopped: Some(explanation),
                };
                Message::TurnEnded { run, report }
            }
            Some(explanation) => {
                tracing::warn!(instance = %id, "instance stopped: {}", explanation.message);
                let report = TurnReport {
                    commands: Vec::new(),
                    stopped: Some(explanation),
                };
                Message::TurnEnded { run, report }
            }
            None => Message::TurnEnded { run, report },
        }
    }

    /// Code cannot go on: asks the policy whether and when its turn is tried again.
    fn failed(&self, id: InstanceId, run: RunNo, explanation: Box<FailureRecord>) -> Message {
        let instance = self
            .slots
            .get(&id)
            .and_then(|slot| slot.instance.as_deref());
        let pause = instance.and_then(|instance| {
            let ShardSettings {
                retry_turns,
                retry_turns_of,
                ..
            } = &self.settings;
            let policy = retry_turns_of.get(&instance.workflow);
            let policy = policy.unwrap_or(retry_turns).as_ref()?;
            policy.delay_ms(instance, &explanation)
        });
        let why = &explanation.message;
        match pause {
            Some(retry_after_ms) => {
                let pause = Duration::from_millis(retry_after_ms);
                tracing::warn!(instance = %id, "instance stopped for {pause:?}: {why}");
                Message::TurnFailed {
                    run,
                    explanation,
                    retry_after_ms,
                }
            }
            None => {
                tracing::warn!(instance = %id, "instance stopped: {why}");
                let report = TurnReport {
                    commands: Vec::new(),
                    stopped: Some(explanation),
                };
                Message::TurnEnded { run, report }
            }
        }
    }

    /// Adds an entry that is no answer to a message.
    fn note(&mut self, id: InstanceId, entry: Entry) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        if let Some(instance) = &mut slot.instance {
            instance.evolve(&entry);
        }
        slot.entries.push(entry);
        if !slot.touched {
            slot.touched = true;
            self.touched.push(id);
        }
    }

    /// Sees to it that the next process knows of this turn, should this one die of it.
    ///
    /// A note in a file is enough, and cheap. A mark in the history takes a sync; it is for stores
    /// without notes, and for an instance in whose turn the process before died: what made that
    /// turn due (the start, an outcome) becomes durable with the mark, so that the next process
    /// comes to the same turn and counts it.
    fn before_turn(&mut self, id: InstanceId, run: RunNo) {
        let is_noted = self.store.note_turn(self.number, Some((id, run)));
        if !is_noted || self.blamed.contains_key(&id) {
            self.mark_turn(id, run, false);
        }
    }

    /// The turn has ended well.
    fn after_turn(&mut self, id: InstanceId, run: RunNo) {
        self.store.note_turn(self.number, None);
        let slot = self.slots.get(&id);
        let instance = slot.and_then(|slot| slot.instance.as_ref());
        if instance.is_some_and(|i| i.runs.get(&run).is_some_and(|run| run.deadly_turns > 0)) {
            self.mark_turn(id, run, true);
        }
    }

    /// An instance was found during one of whose turns the process before died: that is counted,
    /// and durable, before its code runs again.
    pub(super) fn blame(&mut self, instance: Box<Instance>) -> Box<Instance> {
        let id = instance.id;
        if !self.settings.cautious {
            return instance;
        }
        let run = self.blamed.get(&id).copied();
        let (Some(run), Some(slot)) = (run, self.slots.get_mut(&id)) else {
            return instance;
        };
        slot.instance = Some(instance);
        self.mark_turn(id, run, false);
        let slot = self.slots.get_mut(&id);
        slot.and_then(|slot| slot.instance.take())
            .expect("it was put there, and marks take nothing away")
    }

    /// Writes down that a turn is about to run, durably, or that it has ended well.
    fn mark_turn(&mut self, id: InstanceId, run: RunNo, done: bool) {
        self.note(id, Entry::TurnMarked { run, done });
        if done {
            return;
        }
        let Some(commit_now) = self.commit_now.clone() else {
            return;
        };
        if let Some(commit) = self.take_commit() {
            let number = commit.number;
            commit_now(commit);
            self.durable = self.durable.max(number);
        }
    }

    /// Builds the live run from its history, this round's entries included. A history that cannot
    /// be read stops the instance: nothing of it is lost by that, and a retry reads it again.
    /// What no code is to blame for is an error, in words.
    fn replay(&mut self, id: InstanceId, run: RunNo) -> Result<TurnReport, String> {
        let mut history = self
            .history(id)
            .map_err(|error| format!("its history cannot be read: {error}"))?;
        let history = history
            .take_run(run)
            .ok_or_else(|| "its history holds no such run".to_owned())?;
        self.choose_version(id);
        let slot = self
            .slots
            .get_mut(&id)
            .expect("turns are asked of loaded instances");
        let instance = slot
            .instance
            .as_ref()
            .expect("the instance is back while effects run");
        let info = run_info(instance, run);
        let (name, version) = (info.workflow.clone(), info.version);
        let Some(workflow) = self.workflows.get(&name, version) else {
            if self.send_turn(&info, history, None) {
                return Err(format!(
                    "its turn was sent to a worker that hosts workflow `{name}` in version \
                     {version}; the instance goes on when one has run it"
                ));
            }
            return Err(self.unhosted(name.as_str(), version));
        };
        let slot = self
            .slots
            .get_mut(&id)
            .expect("turns are asked of loaded instances");
        let on_foreign = Arc::clone(&self.on_foreign);
        let on_foreign = Box::new(move || on_foreign(id, run));
        let Replayed { run: live, report } = LiveRun::replay(&workflow, info, history, on_foreign);
        slot.live = Some(live);
        self.warm += 1;
        Ok(report)
    }

    /// Sends a step whose code is not here to a worker that hosts it.
    pub(super) fn send_step(&mut self, id: InstanceId, step: Box<StepAttempt>) -> bool {
        let instance = self.slots.get(&id).and_then(|slot| slot.instance.as_ref());
        let Some(info) = instance.map(|instance| run_info(instance, step.id.run)) else {
            return false;
        };
        if self.resting.is_none() || self.workflows.get(&info.workflow, info.version).is_some() {
            return false;
        }
        let Ok(mut history) = self.history(id) else {
            return false;
        };
        let history = history.take_run(step.id.run);
        history.is_some_and(|history| self.send_turn(&info, history, Some(step)))
    }

    /// An instance that was started when nobody hosted its workflow takes the highest version that
    /// is hosted when somebody does.
    fn choose_version(&mut self, id: InstanceId) {
        let Some(instance) = self.slots.get(&id).and_then(|slot| slot.instance.as_ref()) else {
            return;
        };
        if instance.version != VERSION_OPEN {
            return;
        }
        if let Some(version) = self.workflows.highest_version(&instance.workflow) {
            let steering = Steering::VersionChosen { version };
            let at = instance.changed_at;
            self.note(id, Entry::Steered { steering, at });
        }
    }

    fn unhosted(&mut self, name: &str, version: u32) -> String {
        let which = match version {
            VERSION_OPEN => format!("`{name}`"),
            version => format!("`{name}` in version {version}"),
        };
        if self.workflows.is_first_missing(name, version) {
            tracing::warn!(
                "instances of workflow {which} wait: no worker here hosts it; \
                 host it with `.workflow(…)` and start the worker again"
            );
        }
        format!(
            "no worker here hosts workflow {which}; the instance goes on when \
             one that does is started"
        )
    }

    /// Whether a turn of an instance in memory must read rows first: its code is to be replayed.
    pub(crate) fn is_cold(&self, id: InstanceId) -> bool {
        self.slots.get(&id).is_some_and(|slot| {
            slot.live.is_none() && slot.history.is_none() && slot.first_unsynced() > 0
        })
    }

    /// The whole history of an instance: what the store has, what is on its way there, and this
    /// round's.
    fn history(&mut self, id: InstanceId) -> Result<History, StoreError> {
        let slot = self.slots.get_mut(&id).expect("the caller has the slot");
        let mut history = match slot.history.take() {
            Some(history) => history,
            None => {
                let first_unsynced = slot.first_unsynced();
                let mut history = if first_unsynced == 0 {
                    History::default()
                } else {
                    load::read_rows(&*self.store, id, first_unsynced)?
                };
                for (_, _, entries) in &slot.unsynced {
                    entries.iter().cloned().for_each(|entry| history.add(entry));
                }
                history
            }
        };
        slot.entries
            .iter()
            .cloned()
            .for_each(|entry| history.add(entry));
        Ok(history)
    }

    /// Where a failed run goes on: planned by the engine, measured by a replay up to there. Or why
    /// not: code that stops on the way says nothing about what it would ask, and a cut by it would
    /// void what has been done.
    pub(super) fn plan(
        &mut self,
        id: InstanceId,
        plan: fn(RunNo, &RunHistory) -> Option<engine::Reopening>,
        now: Timestamp,
    ) -> Result<Result<Option<Box<Cut>>, String>, StoreError> {
        if !self.slots.contains_key(&id) {
            let Some(instance) = self.load(id)? else {
                return Ok(Ok(None));
            };
            self.slots.get_mut(&id).expect("just loaded").instance = Some(instance);
        }
        let run = RunNo(0);
        let mut history = self.history(id)?;
        let slot = self.slots.get_mut(&id).expect("loaded above");
        let instance = slot.instance.as_ref().expect("no message is being applied");
        let Some(history) = history.take_run(run) else {
            return Ok(Ok(None));
        };
        let Some(reopening) = plan(run, &history) else {
            return Ok(Ok(None));
        };
        let info = run_info(instance, run);
        let Some(workflow) = self.workflows.get(&info.workflow, info.version) else {
            return Ok(Ok(None));
        };
        if self.barred(id).is_some() {
            return Ok(Ok(None));
        }
        // This runs the workflow's code as a turn does.
        self.running.begin(id, run, now);
        let kept =
            LiveRun::commands_after(&workflow, info, history.clone(), reopening.outcomes_kept);
        self.running.end();
        Ok(match kept {
            Ok(kept) => Ok(Some(Box::new(reopening.cut(&history, kept)))),
            Err(why) => Err(format!(
                "its code stops before it comes to where it failed: {why}; deploy mended code, \
                 then try again"
            )),
        })
    }

    /// Stops an instance whose code was woken by something foreign.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub fn stop_foreign(
        &mut self,
        id: InstanceId,
        run: RunNo,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let has_live = self.slots.get(&id).is_some_and(|slot| slot.live.is_some());
        if !has_live {
            return Ok(());
        }
        self.drop_live(id);
        let explanation = FailureRecord::new(FailureKind::Stopped, foreign_explanation());
        let message = self.failed(id, run, Box::new(explanation));
        self.handle(id, message, now)
    }

    /// Stops an instance with an explanation. Its turn is not tried again by itself.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub fn stop(
        &mut self,
        id: InstanceId,
        run: RunNo,
        why: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tracing::warn!(instance = %id, "instance stopped: {why}");
        self.drop_live(id);
        self.handle(
            id,
            Message::TurnEnded {
                run,
                report: stopped(why),
            },
            now,
        )
    }
}

fn run_info(instance: &Instance, run: RunNo) -> RunInfo {
    RunInfo {
        instance: instance.id,
        workflow: instance.workflow.clone(),
        version: instance.version,
        tags: instance.tags.clone(),
        meta: instance.meta.clone(),
        run,
    }
}
