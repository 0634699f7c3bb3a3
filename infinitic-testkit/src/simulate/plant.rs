//! Planted bugs: proof that the simulation finds what it is there to find.
//!
//! They live in the simulation's own driver, between the real shards and the simulated store, so
//! that no build of a worker can contain them.

use infinitic_core::{
    AttemptResult, CommandId, Entry, Instance, InstanceId, Message, Position, codec,
};
use infinitic_runtime::worker::Commit;

use super::process::Mail;

/// The tasks of which the end of the same attempt arrived twice for one round.
pub(crate) fn repeated(mailbox: &[Mail]) -> Vec<CommandId> {
    let ends: Vec<_> = mailbox.iter().filter_map(end).collect();
    let is_again = |index: usize| ends[..index].contains(&ends[index]);
    let again = (0..ends.len()).filter(|index| is_again(*index));
    again.map(|index| ends[index].0).collect()
}

fn end(mail: &Mail) -> Option<(CommandId, u32, u32)> {
    match &mail.message {
        Message::AttemptEnded {
            result:
                AttemptResult::Failed {
                    retry_after_ms: Some(_),
                    ..
                }
                | AttemptResult::FailedWithMeta { .. },
            ..
        } => None,
        Message::AttemptEnded {
            id,
            sequence,
            attempt,
            ..
        } => Some((*id, sequence.0, attempt.0)),
        _ => None,
    }
}

/// Tells what an engine would believe that does not look at the sequence of an attempt's end: it is
/// of the current one.
pub(crate) fn forget_sequences(
    mailbox: &mut [Mail],
    instance: impl Fn(InstanceId) -> Option<Instance>,
) {
    for mail in mailbox {
        if let Message::AttemptEnded { id, sequence, .. } = &mut mail.message
            && let Some(open) = instance(mail.to).as_ref().and_then(|it| it.open(*id))
        {
            *sequence = open.sequence;
        }
    }
}

/// Writes what an engine would that does not recognise a repeated end: the outcome, twice.
pub(crate) fn deliver_twice(commit: &mut Commit, repeated: &[CommandId]) {
    for row in &mut commit.history {
        let Ok((header, mut entries)) = codec::decode_row(&row.value) else {
            continue;
        };
        for task in repeated.iter().filter(|task| task.instance == row.id) {
            let again = entries.iter().find(|entry| delivers(entry, task.position));
            if let Some(again) = again.cloned() {
                entries.push(again);
            }
        }
        row.value = codec::encode_row(header, &entries).into();
    }
}

fn delivers(entry: &Entry, at: Position) -> bool {
    matches!(entry, Entry::Delivered { position, .. } if *position == at)
}
