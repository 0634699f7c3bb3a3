//! The notebook of the program that starts orders: which instance is which order's.
//!
//! An id is drawn, written down here and synced, and only then the instance is started with it. So
//! a kill leaves no start that nobody knows of: what is written down and perhaps not started is
//! started again under the same id, which changes nothing if it was. What the worker acknowledged,
//! and how orders ended, is noted too, for the audit to compare with what the store says.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::order::{Order, OrderId, Outcome};

/// A line of the notebook.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
enum Note {
    /// The order is about to be started under this id.
    Starting {
        order: OrderId,
        instance: String,
        digest: u64,
    },
    /// The worker said that the start is durable.
    Started { order: OrderId },
    /// The worker said how it ended.
    Ended { order: OrderId, outcome: Outcome },
}

/// What is noted of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub instance: InstanceId,
    pub digest: u64,
    pub started: bool,
    pub outcome: Option<Outcome>,
}

/// What is noted of all orders.
pub type Notes = BTreeMap<OrderId, Noted>;

/// The notebook, open for writing.
#[derive(Debug)]
pub struct Notebook {
    file: File,
    notes: Notes,
}

impl Notebook {
    fn path(data: &Path) -> PathBuf {
        data.join("notebook.jsonl")
    }

    /// Opens the notebook of a data directory, or begins one.
    ///
    /// A last line without its end is removed: it was never synced, so nothing was started for it.
    pub fn open(data: &Path) -> Result<Self> {
        let path = Self::path(data);
        let failed = |error| said(&path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        // Without a worker of its own, a program does not have the directory for itself.
        if file.try_lock().is_err() {
            return Err(said(&path, "another process is starting these orders"));
        }
        let (notes, whole) = fold(&path, &mut file)?;
        file.set_len(whole).map_err(failed)?;
        // The file's name must be as durable as what is going to be in it.
        File::open(data)
            .and_then(|dir| dir.sync_all())
            .map_err(failed)?;
        Ok(Self { file, notes })
    }

    /// Reads the notebook of a data directory; none if there is no such file.
    pub fn read(data: &Path) -> Result<Option<Notes>> {
        let path = Self::path(data);
        match File::open(&path) {
            Ok(mut file) => Ok(Some(fold(&path, &mut file)?.0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(said(&path, error)),
        }
    }

    /// What is noted so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Forgets an id under which nothing was ever started.
    pub fn forget(&mut self, order: &OrderId) {
        self.notes.remove(order);
    }

    /// Writes down, durably, under which ids orders are going to be started.
    pub fn starting(&mut self, starts: &[(&Order, InstanceId)]) -> io::Result<()> {
        let notes = starts.iter().map(|(order, instance)| Note::Starting {
            order: order.id.clone(),
            instance: instance.to_string(),
            digest: order.digest(),
        });
        self.write(notes)?;
        self.file.sync_data()
    }

    /// Notes which starts were acknowledged. Not synced: it is a hint for the audit.
    pub fn started(&mut self, orders: &[OrderId]) -> io::Result<()> {
        let note = |order: &OrderId| Note::Started {
            order: order.clone(),
        };
        self.write(orders.iter().map(note))
    }

    /// Notes how orders ended. Not synced: the store knows it anyway.
    pub fn ended(&mut self, orders: &[(OrderId, Outcome)]) -> io::Result<()> {
        let note = |(order, outcome): &(OrderId, Outcome)| Note::Ended {
            order: order.clone(),
            outcome: outcome.clone(),
        };
        self.write(orders.iter().map(note))
    }

    fn write(&mut self, notes: impl Iterator<Item = Note>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for note in notes {
            serde_json::to_writer(&mut bytes, &note)?;
            bytes.push(b'\n');
            // Only a note that was read from a file can be wrong.
            drop(apply(&mut self.notes, note));
        }
        self.file.write_all(&bytes)
    }
}

fn said(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::msg(format!("{}: {error}", path.display()))
}

/// The notes of a file, and how long its whole lines are.
fn fold(path: &Path, file: &mut File) -> Result<(Notes, u64)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| said(path, error))?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    let mut notes = Notes::new();
    for (index, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let wrong = |error: String| {
            said(
                path,
                format!("line {}: {error}; restore the directory", index + 1),
            )
        };
        let note = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
        apply(&mut notes, note).map_err(wrong)?;
    }
    Ok((notes, whole as u64))
}

fn apply(notes: &mut Notes, note: Note) -> Result<(), String> {
    match note {
        Note::Starting {
            order,
            instance,
            digest,
        } => {
            let noted = Noted {
                instance: instance.parse().map_err(|error| format!("{error}"))?,
                digest,
                started: false,
                outcome: None,
            };
            notes.insert(order, noted);
        }
        Note::Started { order } => find(notes, &order)?.started = true,
        Note::Ended { order, outcome } => find(notes, &order)?.outcome = Some(outcome),
    }
    Ok(())
}

fn find<'a>(notes: &'a mut Notes, order: &OrderId) -> Result<&'a mut Noted, String> {
    notes
        .get_mut(order)
        .ok_or_else(|| format!("order `{order}` was never about to start"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str) -> Order {
        let json = format!(
            r#"{{"id":"{id}","customer":"c","item":"i","quantity":1,"cents":5,"card":"4"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn notes_are_found_again_without_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let id = InstanceId::new(Timestamp::from_millis(1), 2, 3);
        let mut notebook = Notebook::open(dir.path()).unwrap();
        let (a, b) = (order("A"), order("B"));
        notebook.starting(&[(&a, id), (&b, id)]).unwrap();
        notebook.started(std::slice::from_ref(&a.id)).unwrap();
        notebook
            .ended(&[(a.id.clone(), Outcome::Declined)])
            .unwrap();
        let notes = notebook.notes().clone();
        drop(notebook);
        let path = Notebook::path(dir.path());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"note\":\"start").unwrap();

        let mut again = Notebook::open(dir.path()).unwrap();
        assert_eq!(again.notes(), &notes);
        assert_eq!(notes[&a.id].outcome, Some(Outcome::Declined));
        assert!(!notes[&b.id].started);
        again.started(std::slice::from_ref(&b.id)).unwrap();
        let notes = Notebook::read(dir.path()).unwrap().unwrap();
        assert_eq!(&notes, again.notes());
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            Notebook::path(dir.path()),
            "{\"note\":\"started\",\"order\":\"A\"}\n",
        )
        .unwrap();
        let error = Notebook::open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("line 1: order `A` was never about to start"),
            "{error}"
        );
        assert!(
            Notebook::read(&dir.path().join("nowhere"))
                .unwrap()
                .is_none()
        );
    }
}
