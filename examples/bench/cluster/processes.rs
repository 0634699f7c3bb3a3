//! CPU of other processes, from `/proc`: on Linux alone, and for those that we may look at.

use std::collections::BTreeMap;
use std::fs;

/// Ticks of the kernel's accounting in a second, as user space sees them on every architecture.
const TICKS_A_SECOND: f64 = 100.0;

/// A process and all that it has started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

/// What is of interest in `/proc/<pid>/stat`.
pub(super) struct Stat {
    pub(super) parent: u32,
    /// Its own ticks.
    own: f64,
    /// Those of children that have ended.
    ended: f64,
}

impl Process {
    /// User and system time so far, of what it has started too, whether that has ended or not.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let all: BTreeMap<u32, Stat> = numbers()
            .filter_map(|number| Some((number, stat(number)?)))
            .collect();
        let is_ours = |number: u32| {
            let mut at = number;
            while at != self.0 {
                match all.get(&at) {
                    Some(stat) if stat.parent != 0 => at = stat.parent,
                    Some(_) | None => return false,
                }
            }
            true
        };
        let ours = all.iter().filter(|(number, _)| is_ours(**number));
        let ticks: f64 = ours.map(|(_, stat)| stat.own + stat.ended).sum();
        ticks / TICKS_A_SECOND
    }
}

/// All processes.
pub(super) fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

pub(super) fn stat(number: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may hold spaces.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)? + ticks(12)?,
        ended: ticks(13)? + ticks(14)?,
    })
}
