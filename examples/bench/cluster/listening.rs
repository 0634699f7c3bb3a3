//! Finds the process of a server by the port it listens on.

use std::collections::BTreeSet;
use std::fs;

use super::processes::{Process, numbers, stat};

/// The one that listens on a port of this machine; none when it cannot be seen.
pub(super) fn listening(port: u16) -> Option<Process> {
    let sockets: BTreeSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let owners: BTreeSet<u32> = numbers()
        .filter(|number| has_any(*number, &sockets))
        .collect();
    // Children inherit sockets: the one that listens is nobody's child among them.
    owners
        .iter()
        .find(|number| stat(**number).is_some_and(|stat| !owners.contains(&stat.parent)))
        .map(|number| Process(*number))
}

/// The inodes of sockets that listen on a port, from the kernel's table.
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTENS: &str = "0A";
    let end = format!(":{port:04X}");
    let lines = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTENS;
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    });
    lines.collect()
}

fn has_any(number: u32, sockets: &BTreeSet<String>) -> bool {
    let files = fs::read_dir(format!("/proc/{number}/fd")).into_iter();
    files.flatten().flatten().any(|file| {
        let target = fs::read_link(file.path()).unwrap_or_default();
        let target = target.to_string_lossy();
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| sockets.contains(inode))
    })
}
