//! What the durable rows say about instances, kept as they come: checks look at it all the time.

use std::collections::{BTreeMap, BTreeSet};

use infinitic_core::{CommandId, Entry, Instance, InstanceId, Position, Reopening, RunNo, codec};

/// One instance as its durable rows tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// Row after row.
    pub(crate) entries: Vec<Entry>,
    /// What they fold into.
    pub(crate) instance: Option<Instance>,
    asked: BTreeSet<(RunNo, Reopening, Position)>,
    runs: BTreeMap<RunNo, (Reopening, u32)>,
}

impl Image {
    /// Takes in one more row.
    pub(crate) fn add_row(&mut self, id: InstanceId, row: &[u8]) {
        let Ok((_, entries)) = codec::decode_row(row) else {
            return;
        };
        for entry in &entries {
            match &mut self.instance {
                Some(instance) => instance.evolve(entry),
                None => self.instance = Instance::begin(id, entry),
            }
            self.note_command(entry);
        }
        self.entries.extend(entries);
    }

    fn note_command(&mut self, entry: &Entry) {
        match entry {
            Entry::Command { run, .. } => {
                let (reopening, commands) = self.runs.entry(*run).or_default();
                self.asked.insert((*run, *reopening, Position(*commands)));
                *commands += 1;
            }
            Entry::Reopened {
                run, commands_kept, ..
            } => {
                let (reopening, commands) = self.runs.entry(*run).or_default();
                *reopening = reopening.next();
                *commands = *commands_kept;
            }
            _ => {}
        }
    }

    /// Whether the command of that id was ever recorded.
    pub(crate) fn was_asked(&self, id: CommandId) -> bool {
        self.asked.contains(&(id.run, id.reopening, id.position))
    }

    /// Whether it has not ended, as far as one can tell.
    pub(crate) fn is_open(&self) -> bool {
        let instance = self.instance.as_ref();
        instance.is_none_or(|instance| !instance.status().is_ended())
    }
}
