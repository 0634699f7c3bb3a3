//! Which turn each shard is in: what the next process asks when this one has died.
//!
//! A note is a write of a few bytes that nobody syncs: it has to outlive the process, not the
//! machine. So it costs a microsecond, and there is no long moment in which an innocent turn is
//! under suspicion.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use infinitic_core::{InstanceId, RunNo};

/// The file, below the data directory.
const NAME: &str = "infinitic.turns";
/// An id, a run, whether there is a turn, and room.
const SLOT: usize = 32;

/// The notes of all shards.
#[derive(Debug)]
pub(super) struct TurnFile {
    // None once the store is closed: from then on the file may be another process's.
    file: Mutex<Option<File>>,
    found: Vec<(InstanceId, RunNo)>,
}

impl TurnFile {
    /// Takes what the process before this one has left, and begins anew.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(NAME))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        file.set_len(0)?;
        Ok(Self {
            file: Mutex::new(Some(file)),
            found: bytes.chunks_exact(SLOT).filter_map(decode).collect(),
        })
    }

    /// The turns during which the process before this one died.
    pub(super) fn found(&self) -> &[(InstanceId, RunNo)] {
        &self.found
    }

    /// Notes the turn that a shard is in, or that it is in none.
    pub(super) fn note(&self, shard: u16, turn: Option<(InstanceId, RunNo)>) -> io::Result<()> {
        let mut slot = [0; SLOT];
        if let Some((id, run)) = turn {
            slot[..16].copy_from_slice(id.as_bytes());
            slot[16..20].copy_from_slice(&run.0.to_be_bytes());
            slot[20] = 1;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        file.seek(SeekFrom::Start(u64::from(shard) * SLOT as u64))?;
        file.write_all(&slot)
    }

    /// Lets the file go. Later notes are refused.
    pub(super) fn close(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn decode(slot: &[u8]) -> Option<(InstanceId, RunNo)> {
    let id = slot.first_chunk::<16>()?;
    let run = slot[16..].first_chunk::<4>()?;
    let turn = (InstanceId::from_bytes(*id), RunNo(u32::from_be_bytes(*run)));
    (slot[20] == 1).then_some(turn)
}

#[cfg(test)]
mod tests {
    use infinitic_core::Timestamp;

    use super::*;

    #[test]
    fn what_was_noted_last_is_found_once() {
        let dir = tempfile::tempdir().unwrap();
        let id = |n| InstanceId::new(Timestamp::from_millis(n), n, 0);
        let open = || TurnFile::open(dir.path()).unwrap();
        let notes = open();
        assert_eq!(notes.found(), []);
        notes.note(2, Some((id(1), RunNo(0)))).unwrap();
        notes.note(0, Some((id(2), RunNo(7)))).unwrap();
        notes.note(2, None).unwrap();
        notes.note(3, Some((id(3), RunNo(1)))).unwrap();
        let expected = [(id(2), RunNo(7)), (id(3), RunNo(1))];
        assert_eq!(open().found(), expected);
        assert_eq!(open().found(), []);
    }

    #[test]
    fn a_closed_file_takes_no_notes() {
        let dir = tempfile::tempdir().unwrap();
        let notes = TurnFile::open(dir.path()).unwrap();
        notes.close();
        let id = InstanceId::new(Timestamp::from_millis(1), 1, 0);
        assert!(notes.note(0, Some((id, RunNo(0)))).is_err());
        assert_eq!(TurnFile::open(dir.path()).unwrap().found(), []);
    }
}
