//! What is watched while a cluster runs: what leaves must be durable, ids must be stable.

use std::collections::{BTreeMap, BTreeSet};

use infinitic_core::{
    Answer, CommandId, Entry, InstanceId, Payload, Position, Reopening, RunNo, TaskAttempt,
};
use infinitic_runtime::cluster::simulate::Written;

use super::super::program::Call;
use super::super::watch::has_ended_with;
use super::store::SimStore;

/// Violations kept of one run: the first ones tell most.
const KEPT_MAX: usize = 10;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The arguments with which each task was given out.
    tasks: BTreeMap<CommandId, Payload>,
    /// The ids of each call.
    ids: BTreeMap<(InstanceId, u32), BTreeSet<CommandId>>,
    pub(crate) violations: Vec<String>,
    /// How often what happened.
    pub(crate) points: BTreeMap<&'static str, u64>,
}

impl Watch {
    pub(crate) fn violation(&mut self, violation: String) {
        if self.violations.len() < KEPT_MAX {
            self.violations.push(violation);
        }
    }

    pub(crate) fn count(&mut self, point: &'static str) {
        *self.points.entry(point).or_default() += 1;
    }

    /// A round leaves: the store must hold what it tells. `instances` are those of the clients'
    /// requests, by what a request is for.
    pub(crate) fn leaves(
        &mut self,
        store: &SimStore,
        round: &Written,
        instance_of: &dyn Fn(u64) -> Option<InstanceId>,
    ) {
        let part = &round.commit.part;
        let mut known: BTreeMap<InstanceId, Vec<Entry>> = BTreeMap::new();
        let mut entries = |id| {
            known
                .entry(id)
                .or_insert_with(|| store.entries(part, id))
                .clone()
        };
        let tasks = round.tasks.iter().map(|attempt| attempt.id);
        let steps = round.steps.iter().map(|(attempt, _)| attempt.id);
        for id in tasks.chain(steps) {
            if !was_asked(&entries(id.instance), id) {
                self.violation(format!("{id} left before its commit was durable"));
            }
        }
        for (request, answer) in round.answers.values().flatten() {
            let Some(id) = instance_of(request.0) else {
                self.violation(format!("nobody made request {request:?}"));
                continue;
            };
            let is_durable = match answer {
                Answer::Started { .. } => !entries(id).is_empty(),
                Answer::Ended(told) => has_ended_with(&entries(id), told),
                Answer::Done | Answer::State(_) | Answer::Refused(_) => true,
                #[allow(unreachable_patterns, reason = "answers are added")]
                _ => true,
            };
            if !is_durable {
                self.violation(format!("{id}: left before it was durable: {answer:?}"));
            }
        }
        for attempt in &round.tasks {
            self.task_leaves(attempt);
        }
    }

    /// The same id always means the same call.
    fn task_leaves(&mut self, attempt: &TaskAttempt) {
        let TaskAttempt { id, args, .. } = attempt;
        let Ok((call, _)) = serde_json::from_slice::<(Call, u64)>(args.as_bytes()) else {
            return self.violation(format!("the arguments of {id} do not decode"));
        };
        let known = self.tasks.entry(*id).or_insert_with(|| args.clone());
        if known != args {
            let known = known.clone();
            self.violation(format!("{id} stands for two calls: {known:?} and {args:?}"));
        }
        let ids = self.ids.entry((id.instance, call.label)).or_default();
        ids.insert(*id);
        let reopenings: BTreeSet<Reopening> = ids.iter().map(|id| id.reopening).collect();
        if reopenings.len() != ids.len() {
            let ids = format!("{ids:?}");
            self.violation(format!("call {} has several ids: {ids}", call.label));
        }
    }
}

/// Whether the command of that id was ever recorded.
fn was_asked(entries: &[Entry], id: CommandId) -> bool {
    let mut runs: BTreeMap<RunNo, (Reopening, u32)> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Command { run, .. } => {
                let (reopening, commands) = runs.entry(*run).or_default();
                if (*run, *reopening, Position(*commands)) == (id.run, id.reopening, id.position) {
                    return true;
                }
                *commands += 1;
            }
            Entry::Reopened {
                run, commands_kept, ..
            } => {
                let (reopening, commands) = runs.entry(*run).or_default();
                *reopening = reopening.next();
                *commands = *commands_kept;
            }
            _ => {}
        }
    }
    false
}
