//! What is watched while things happen: what leaves must be durable, ids must be stable.

use std::collections::{BTreeMap, BTreeSet};

use infinitic_core::{
    Answer, Attempt, CommandId, Entry, InstanceId, Payload, Reopening, RequestId, RunResult,
    Sequence, TaskAttempt,
};
use infinitic_runtime::worker::Outgoing;

use super::program::Call;
use super::store::SimStore;
use super::world::{Asked, Client};

/// Violations kept of one run: the first ones tell most.
const KEPT_MAX: usize = 10;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    arrived: BTreeSet<InstanceId>,
    /// The arguments with which each task was given out.
    tasks: BTreeMap<CommandId, Payload>,
    /// What this process has given out.
    given_out: BTreeSet<(CommandId, Sequence, Attempt)>,
    /// A thread of it was replaced: the new one gives out again what the old one did.
    may_repeat: bool,
    /// The ids of each call.
    ids: BTreeMap<(InstanceId, u32), BTreeSet<CommandId>>,
    violations: Vec<String>,
    /// How often what happened.
    points: BTreeMap<&'static str, u64>,
}

impl Watch {
    pub(crate) fn violation(&mut self, violation: String) {
        if self.violations.len() < KEPT_MAX {
            self.violations.push(violation);
        }
    }

    pub(crate) fn extend(&mut self, violations: Vec<String>) {
        violations.into_iter().for_each(|v| self.violation(v));
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(crate) fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    pub(crate) fn count(&mut self, point: &'static str) {
        *self.points.entry(point).or_default() += 1;
    }

    pub(crate) fn count_all(&mut self, points: BTreeMap<&'static str, u64>) {
        for (point, count) in points {
            *self.points.entry(point).or_default() += count;
        }
    }

    pub(crate) fn take_points(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.points)
    }

    /// A process begins.
    pub(crate) fn process_begins(&mut self) {
        self.given_out.clear();
        self.may_repeat = false;
    }

    /// A thread of the process is replaced.
    pub(crate) fn thread_begins(&mut self) {
        self.may_repeat = true;
    }

    /// Whether this is the first message for an instance that ever arrived at a process.
    pub(crate) fn arrives_first(&mut self, id: InstanceId) -> bool {
        self.arrived.insert(id)
    }

    /// Something leaves the process: the store must hold what it tells.
    pub(crate) fn leaves(
        &mut self,
        store: &SimStore,
        item: &Outgoing,
        clients: &[Client],
        requests: &BTreeMap<RequestId, Asked>,
    ) {
        let was_asked = |id: CommandId| {
            let image = store.image(id.instance, |image| image.was_asked(id));
            image.unwrap_or(false)
        };
        let is_durable = match item {
            Outgoing::Task(attempt) => was_asked(attempt.id),
            Outgoing::Step(attempt, _) => was_asked(attempt.id),
            Outgoing::Answer(request, answer) => {
                let Some(client) = requests
                    .get(request)
                    .and_then(|asked| clients.get(asked.client))
                else {
                    return self.violation(format!("nobody made request {request:?}"));
                };
                match answer {
                    Answer::Started { .. } => store.instance(client.id).is_some(),
                    Answer::Ended(told) => store
                        .image(client.id, |image| has_ended_with(&image.entries, told))
                        .unwrap_or(false),
                    Answer::Done | Answer::State(_) | Answer::Refused(_) => true,
                }
            }
            Outgoing::CancelAttempt(..) | Outgoing::Message(..) | Outgoing::Turn(_) => true,
        };
        if !is_durable {
            self.violation(format!("left before its commit was durable: {item:?}"));
        }
    }

    /// An attempt of a task leaves: the same id always means the same call. Answers the call's
    /// label.
    pub(crate) fn task_leaves(&mut self, attempt: &TaskAttempt) -> u32 {
        let TaskAttempt { id, args, .. } = attempt;
        let number = (*id, attempt.sequence, attempt.attempt);
        if !self.given_out.insert(number) && !self.may_repeat {
            self.violation(format!("an attempt was given out twice: {number:?}"));
        }
        let Ok((call, _)) = serde_json::from_slice::<(Call, u64)>(args.as_bytes()) else {
            self.violation(format!("the arguments of {id} do not decode"));
            return 0;
        };
        let known = self.tasks.entry(*id).or_insert_with(|| args.clone());
        if known != args {
            let known = known.clone();
            self.violation(format!("{id} stands for two calls: {known:?} and {args:?}"));
        }
        let ids = self.ids.entry((id.instance, call.label)).or_default();
        ids.insert(*id);
        // Only a reopening may void a command and ask for it again.
        let reopenings: BTreeSet<Reopening> = ids.iter().map(|id| id.reopening).collect();
        if reopenings.len() != ids.len() {
            let ids = format!("{ids:?}");
            self.violation(format!("call {} has several ids: {ids}", call.label));
        }
        call.label
    }
}

/// Whether a run ended with that result.
pub(crate) fn has_ended_with(entries: &[Entry], told: &RunResult) -> bool {
    entries
        .iter()
        .any(|entry| matches!(entry, Entry::RunEnded { result, .. } if result == told))
}
