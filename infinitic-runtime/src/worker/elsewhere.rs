//! Turns that run elsewhere: in a cluster, the owner of an instance may not host its version. It
//! sends the run's history to a worker that does; meanwhile the instance stands still, in plain
//! sight, and whoever takes it over sends it again.

use infinitic_core::{
    Instance, InstanceId, Message, Reopening, RunHistory, RunNo, StepAttempt, Timestamp, TurnReport,
};
use serde::{Deserialize, Serialize};

use super::commit::Outgoing;
use super::shard::Shard;
use crate::backend::StoreError;
use crate::workflow::{HostedWorkflows, LiveRun, RunInfo, StepJob, stopped};

/// A turn for another worker: replay this, and say what the code asks then. Or find the code of a
/// step in it, and run that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnAway {
    pub(crate) instance: InstanceId,
    pub(crate) workflow: infinitic_core::names::WorkflowName,
    pub(crate) version: u32,
    pub(crate) tags: Vec<String>,
    pub(crate) meta: Vec<(String, String)>,
    pub(crate) run: RunNo,
    pub(crate) history: RunHistory,
    /// Only this step is wanted.
    pub(crate) step: Option<Box<StepAttempt>>,
}

/// What came of a turn elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TurnDone {
    pub(crate) instance: InstanceId,
    pub(crate) run: RunNo,
    /// Where the history stood that was replayed.
    pub(crate) stood: Stood,
    pub(crate) report: TurnReport,
}

/// Where a run's history stands: a turn is of use only for the very place it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stood {
    reopening: Reopening,
    commands: u32,
    outcomes: u32,
}

impl Stood {
    fn of(instance: &Instance, run: RunNo) -> Option<Self> {
        let run = instance.runs.get(&run).filter(|run| run.result.is_none())?;
        Some(Self {
            reopening: run.reopening,
            commands: run.commands,
            outcomes: run.outcomes,
        })
    }
}

impl TurnAway {
    fn info(&self) -> RunInfo {
        RunInfo {
            instance: self.instance,
            workflow: self.workflow.clone(),
            version: self.version,
            tags: self.tags.clone(),
            meta: self.meta.clone(),
            run: self.run,
        }
    }

    fn stood(&self) -> Stood {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Stood {
            reopening: self.history.reopening,
            commands: count(self.history.commands.len()),
            outcomes: count(self.history.outcomes.len()),
        }
    }

    /// What is told of the turn when it does not end.
    pub(crate) fn stuck(&self, why: String) -> TurnDone {
        TurnDone {
            instance: self.instance,
            run: self.run,
            stood: self.stood(),
            report: stopped(why),
        }
    }

    /// Runs the turn; none when the workflow is not hosted here.
    pub(crate) fn run(self, workflows: &HostedWorkflows) -> Option<TurnDone> {
        let workflow = workflows.get(&self.workflow, self.version)?;
        let (info, stood) = (self.info(), self.stood());
        let (instance, run) = (self.instance, self.run);
        let replayed = LiveRun::replay(&workflow, info, self.history, Box::new(|| ()));
        Some(TurnDone {
            instance,
            run,
            stood,
            report: replayed.report,
        })
    }

    /// The code of the step that is wanted; none when there is no such step, or nothing is hosted.
    pub(crate) fn job(
        mut self,
        workflows: &HostedWorkflows,
    ) -> Option<(Box<StepAttempt>, StepJob)> {
        let workflow = workflows.get(&self.workflow, self.version)?;
        let step = self.step.take()?;
        let info = self.info();
        let replayed = LiveRun::replay(&workflow, info, self.history, Box::new(|| ()));
        let job = replayed.run.step(step.id.position)?;
        Some((step, job))
    }
}

impl Shard {
    /// Sends a turn to a worker that hosts the instance's version, if the store is shared. Says
    /// whether it did.
    pub(super) fn send_turn(
        &mut self,
        info: &RunInfo,
        history: RunHistory,
        step: Option<Box<StepAttempt>>,
    ) -> bool {
        if self.resting.is_none() || info.version == infinitic_core::instance::VERSION_OPEN {
            return false;
        }
        let turn = TurnAway {
            instance: info.instance,
            workflow: info.workflow.clone(),
            version: info.version,
            tags: info.tags.clone(),
            meta: info.meta.clone(),
            run: info.run,
            history,
            step,
        };
        self.outgoing.push(Outgoing::Turn(Box::new(turn)));
        true
    }

    /// A turn that ran elsewhere has ended. One for another place in the history changes nothing:
    /// if outcomes came meanwhile, the turn is sent again with them.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub(crate) fn turn_done(&mut self, done: TurnDone, now: Timestamp) -> Result<(), StoreError> {
        let TurnDone {
            instance: id,
            run,
            stood,
            report,
        } = done;
        if !self.slots.contains_key(&id) {
            let Some(instance) = self.load(id)? else {
                return Ok(());
            };
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.instance = Some(instance);
            }
        }
        let Some(instance) = self.instance(id).filter(|it| it.stopped.is_some()) else {
            return Ok(());
        };
        let Some(stands) = Stood::of(instance, run) else {
            return Ok(());
        };
        if stands.reopening != stood.reopening || stands.commands != stood.commands {
            return Ok(());
        }
        if stands.outcomes == stood.outcomes {
            self.given_turn = Some((id, run, report));
        }
        let request = None;
        let instance = self
            .slots
            .get_mut(&id)
            .and_then(|slot| slot.instance.take());
        let message = Message::RetryTurn { cut: None, request };
        let handled = self.apply(id, instance, message, now);
        self.given_turn = None;
        handled
    }
}
