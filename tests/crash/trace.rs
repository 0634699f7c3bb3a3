//! A trace of system calls: what was acknowledged had been synced before.
//!
//! The acknowledgement is the line `started` that the example writes into its notebook when the
//! worker has said that a start is durable. Before it, the journal of the store must have been
//! given the instance's id, and have been synced after that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use super::orders::{Shop, assert_clean, program, quiet};

/// What a line of the trace is about.
enum Call {
    /// A write has returned, with these bytes.
    Wrote(u32, Vec<u8>),
    /// A write is about to begin.
    Writes(u32, Vec<u8>),
    SyncBegins(u32),
    SyncEnded(u32),
    Opened(u32, String),
}

#[test]
fn no_acknowledgement_leaves_before_its_sync() {
    if !quiet(Command::new("strace").args(["-o", "/dev/null", "true"])) {
        eprintln!(
            "SKIPPED: no_acknowledgement_leaves_before_its_sync needs strace and the right to \
             trace; install it (apt-get install strace), or allow ptrace. This run proves nothing \
             about syncs."
        );
        return;
    }
    const ORDERS: usize = 200;
    let shop = Shop::with_orders(ORDERS);
    let trace = shop.dir.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-xx", "-s", "1000000"])
        .args(["-e", "trace=openat,write,pwrite64,fdatasync,fsync", "-o"])
        .arg(&trace)
        .arg(program())
        .arg("--input")
        .arg(shop.input())
        .arg("--data")
        .arg(shop.data())
        .status()
        .unwrap();
    assert!(status.success());
    assert_clean(&shop.audit(), &shop);

    let mut audit = Audit::default();
    let text = fs::read_to_string(trace).unwrap();
    for call in calls(&text) {
        audit.follow(call);
    }
    assert_eq!(audit.acknowledged, ORDERS);
    eprintln!(
        "{ORDERS} starts acknowledged, each after its sync; {} syncs of the journal, {} in all",
        audit.journal_syncs, audit.syncs
    );
    // Commits are grouped: far fewer syncs than the four turns of each order.
    assert!(audit.journal_syncs < 3 * ORDERS, "{}", audit.journal_syncs);
}

/// Follows a trace.
#[derive(Default)]
struct Audit {
    files: BTreeMap<u32, String>,
    /// What was written into each journal, and how much of it is synced.
    journals: BTreeMap<u32, Journal>,
    /// Ids of instances, by order.
    ids: BTreeMap<String, Vec<u8>>,
    acknowledged: usize,
    journal_syncs: usize,
    syncs: usize,
}

#[derive(Default)]
struct Journal {
    bytes: Vec<u8>,
    /// Length when the sync that runs began.
    at_begin: usize,
    synced: usize,
}

impl Audit {
    fn is(&self, file: u32, end: &str) -> bool {
        self.files
            .get(&file)
            .is_some_and(|path| path.ends_with(end))
    }

    fn follow(&mut self, call: Call) {
        match call {
            Call::Opened(file, path) => {
                self.journals.remove(&file);
                self.files.insert(file, path);
            }
            Call::Wrote(file, bytes) if self.is(file, ".jnl") => {
                let journal = self.journals.entry(file).or_default();
                journal.bytes.extend(bytes);
            }
            Call::Writes(file, bytes) if self.is(file, "notebook.jsonl") => self.notes(&bytes),
            Call::Wrote(..) | Call::Writes(..) => {}
            Call::SyncBegins(file) => {
                self.syncs += 1;
                if self.is(file, ".jnl") {
                    self.journal_syncs += 1;
                    let journal = self.journals.entry(file).or_default();
                    journal.at_begin = journal.bytes.len();
                }
            }
            Call::SyncEnded(file) => {
                if let Some(journal) = self.journals.get_mut(&file) {
                    journal.synced = journal.at_begin;
                }
            }
        }
    }

    /// Lines that are about to be written into the notebook.
    fn notes(&mut self, bytes: &[u8]) {
        for line in String::from_utf8(bytes.to_vec()).unwrap().lines() {
            let note: serde_json::Value = serde_json::from_str(line).unwrap();
            let order = note["order"].as_str().unwrap().to_owned();
            match note["note"].as_str().unwrap() {
                "starting" => {
                    let id = note["instance"].as_str().unwrap().replace('-', "");
                    self.ids.insert(order, hex(&id));
                }
                "started" => {
                    let id = &self.ids[&order];
                    let is_synced = |journal: &Journal| {
                        let synced = &journal.bytes[..journal.synced];
                        synced.windows(id.len()).any(|window| window == id)
                    };
                    assert!(
                        self.journals.values().any(is_synced),
                        "order {order} was acknowledged before its sync"
                    );
                    self.acknowledged += 1;
                }
                _ => {}
            }
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The calls of a trace, in the order in which the kernel saw them.
///
/// A call that another thread interrupts stands in two lines: `12 write(3, "\x41", 1 <unfinished
/// ...>` and `12 <... write resumed>) = 1`.
fn calls(text: &str) -> Vec<Call> {
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            begins(begun, &mut calls);
            open.insert(thread, begun);
        } else if rest.starts_with("<... ") {
            let Some(begun) = open.remove(thread) else {
                continue;
            };
            ends(begun, rest, &mut calls);
        } else {
            begins(rest, &mut calls);
            ends(rest, rest, &mut calls);
        }
        names.extend(rest.split_once('(').map(|(name, _)| name));
    }
    assert!(
        names.contains("fdatasync"),
        "the trace shows no sync at all"
    );
    calls
}

/// The file and the bytes of a call's text.
fn arguments(text: &str) -> Option<(&str, u32, Vec<u8>)> {
    let (name, rest) = text.split_once('(')?;
    let file = rest.split([',', ')', ' ']).next()?.parse().ok()?;
    Some((name, file, quoted(rest)))
}

/// The bytes between quotes, each written as `\x41`.
fn quoted(text: &str) -> Vec<u8> {
    let inside = text.split('"').nth(1).unwrap_or_default();
    hex(&inside.replace("\\x", ""))
}

fn begins(text: &str, calls: &mut Vec<Call>) {
    match arguments(text) {
        Some(("write" | "pwrite64", file, bytes)) => calls.push(Call::Writes(file, bytes)),
        Some(("fdatasync" | "fsync", file, _)) => calls.push(Call::SyncBegins(file)),
        _ => {}
    }
}

fn ends(begun: &str, end: &str, calls: &mut Vec<Call>) {
    let result: Option<u32> = end
        .rsplit_once("= ")
        .and_then(|(_, result)| result.split(' ').next()?.parse().ok());
    let Some(result) = result else {
        return;
    };
    if begun.starts_with("openat(") {
        let path = String::from_utf8_lossy(&quoted(begun)).into_owned();
        calls.push(Call::Opened(result, path));
        return;
    }
    match arguments(begun) {
        Some(("write" | "pwrite64", file, bytes)) => calls.push(Call::Wrote(file, bytes)),
        Some(("fdatasync" | "fsync", file, _)) => calls.push(Call::SyncEnded(file)),
        _ => {}
    }
}

/// A trace of three threads: one starts an order, one writes and syncs, one acknowledges.
fn told(calls_in_order: &[&str]) -> usize {
    let hex = |text: &str| {
        text.bytes()
            .map(|b| format!("\\x{b:02x}"))
            .collect::<String>()
    };
    let id = "018bcfe568007000800000000000002a";
    let starting =
        format!("{{\"note\":\"starting\",\"order\":\"A\",\"instance\":\"{id}\",\"digest\":1}}\n");
    let started = "{\"note\":\"started\",\"order\":\"A\"}\n";
    let row: String = self::hex(id)
        .iter()
        .map(|b| format!("\\x{b:02x}"))
        .collect();
    let mut trace = format!(
        "1 openat(AT_FDCWD, \"{}\", O_RDWR) = 3\n1 openat(AT_FDCWD, \"{}\", O_RDWR) = 4\n\
         1 write(3, \"{}\", 99) = 99\n",
        hex("notebook.jsonl"),
        hex("rows/0.jnl"),
        hex(&starting),
    );
    for call in calls_in_order {
        trace += &match *call {
            "row" => format!("2 write(4, \"{row}\", 16) = 16\n"),
            "sync" => "2 fdatasync(4) = 0\n".to_owned(),
            "sync begins" => "2 fdatasync(4 <unfinished ...>\n".to_owned(),
            "sync ends" => "2 <... fdatasync resumed>) = 0\n".to_owned(),
            _ => format!("1 write(3, \"{}\", 9) = 9\n", hex(started)),
        };
    }
    let mut audit = Audit::default();
    calls(&trace)
        .into_iter()
        .for_each(|call| audit.follow(call));
    audit.acknowledged
}

#[test]
fn a_start_that_is_synced_may_be_acknowledged() {
    assert_eq!(told(&["row", "sync", "ack"]), 1);
    assert_eq!(told(&["row", "sync begins", "sync ends", "ack"]), 1);
}

#[test]
#[should_panic(expected = "acknowledged before its sync")]
fn an_acknowledgement_before_the_end_of_the_sync_is_found() {
    told(&["row", "sync begins", "ack", "sync ends"]);
}

#[test]
#[should_panic(expected = "acknowledged before its sync")]
fn a_sync_that_began_before_the_row_does_not_cover_it() {
    told(&["sync begins", "row", "sync ends", "ack"]);
}
