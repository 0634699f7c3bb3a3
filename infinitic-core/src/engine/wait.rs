//! Clients that wait, and clients that look.

use super::Step;
use crate::effect::{Answer, InstanceState};
use crate::ids::{RequestId, RunNo};

/// Answers with the result of the first run, now or when it ends.
pub(super) fn client_waits(step: &mut Step, request: RequestId) {
    match step
        .instance
        .runs
        .get(&RunNo(0))
        .and_then(|run| run.result.clone())
    {
        Some(result) => step.answer(Some(request), Answer::Ended(result)),
        // Clients repeat what is not answered: one answer is enough.
        None if step.instance.waiting.contains(&request) => {}
        None => step.instance.waiting.push(request),
    }
}

/// Answers with the instance's state.
pub(super) fn inspect(step: &mut Step, request: RequestId) {
    let instance = &step.instance;
    let again = instance.turn_retry.as_ref().and_then(|retry| {
        let due = retry.due?;
        Some(format!(
            "its turn again, attempt {} at {due}",
            retry.attempt
        ))
    });
    let open = instance.runs.values().flat_map(|run| run.open.values());
    let waits = again
        .into_iter()
        .chain(open.map(|open| open.kind.describe()))
        .collect();
    let state = InstanceState {
        id: instance.id,
        workflow: instance.workflow.clone(),
        version: instance.version,
        status: instance.status(),
        tags: instance.tags.clone(),
        started_at: instance.started_at,
        changed_at: instance.changed_at,
        stopped: instance.stopped.clone(),
        waits,
    };
    step.answer(Some(request), Answer::State(Box::new(state)));
}
