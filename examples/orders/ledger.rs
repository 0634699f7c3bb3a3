//! The ledger: what the services did, one JSON line for each effect, in the order of time.
//!
//! It stands for the world outside, which no crash undoes. A line is one write in append mode, so
//! the kill of a process leaves it whole or leaves it out. It is not synced: it outlives the
//! process, and is not meant to outlive a power cut.
//!
//! The process of the main job appends to one file, session after session. Workers of a cluster
//! write a file each: they are many at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::order::OrderId;

/// A step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Reserve,
    Charge,
    Release,
    Ship,
}

/// What a service did in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    Done,
    Busy,
    Declined,
    Missing,
}

/// One attempt of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub task: String,
    pub order: OrderId,
    pub step: Step,
    pub attempt: u32,
    pub did: Did,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A process began to work, or ended after it had finished what it was doing.
    Session { session: Session },
    /// A service did something.
    Entry(Entry),
}

/// A session without an end was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    Begin,
    End,
}

/// Why something could not be written down; the step is tried again.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[error("the ledger cannot be written: {0}")]
pub struct LedgerError(String);

/// What names of ledgers begin and end with.
const PREFIX: &str = "ledger";
const SUFFIX: &str = ".jsonl";

/// The ledger, open for writing. Cheap to clone: each service has one.
#[derive(Clone, Debug)]
pub struct Ledger {
    file: Arc<File>,
}

impl Ledger {
    /// Where the ledger of a data directory is.
    pub fn path(data: &Path) -> PathBuf {
        data.join(format!("{PREFIX}{SUFFIX}"))
    }

    /// Opens the ledger and begins a session in it.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = Self::path(data);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        // A full disk may have cut a line: the next one must not continue it.
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Self::begin(file)
    }

    /// Begins a ledger that no other process writes.
    pub fn open_own(data: &Path) -> io::Result<Self> {
        let mut number = 1;
        loop {
            let path = data.join(format!("{PREFIX}-{number}{SUFFIX}"));
            match OpenOptions::new().append(true).create_new(true).open(path) {
                Ok(file) => return Self::begin(file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn begin(file: File) -> io::Result<Self> {
        let ledger = Self {
            file: Arc::new(file),
        };
        ledger.write(&Line::Session {
            session: Session::Begin,
        })?;
        Ok(ledger)
    }

    /// Writes down what the current attempt did.
    pub fn append(&self, order: &OrderId, step: Step, did: Did) -> Result<(), LedgerError> {
        let entry = Entry {
            task: task::id().to_string(),
            order: order.clone(),
            step,
            attempt: task::attempt(),
            did,
        };
        self.write(&Line::Entry(entry))
            .map_err(|error| LedgerError(error.to_string()))
    }

    /// Ends the session: nothing is running any more.
    pub fn end(&self) -> io::Result<()> {
        self.write(&Line::Session {
            session: Session::End,
        })
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        (&*self.file).write_all(&bytes)
    }
}

/// A ledger as it was read.
#[derive(Debug, Default)]
pub struct Found {
    pub lines: Vec<Line>,
    /// Numbers of lines that are not readable.
    pub torn: Vec<usize>,
}

/// Reads all ledgers of a data directory; one that is not there has none.
pub fn read(data: &Path) -> io::Result<Vec<Found>> {
    let entries = match std::fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        if name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let file = File::open(path)?;
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        match serde_json::from_slice(&line?) {
            Ok(line) => found.lines.push(line),
            Err(_) => found.torn.push(index + 1),
        }
    }
    Ok(found)
}
