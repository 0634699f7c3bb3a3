//! The mark: a small file beside the database that knows the number of its last durable batch.
//!
//! A batch is synced once, in the database's journal; only then is its number written here, without
//! a sync of its own, so the mark costs no second sync. What it therefore promises:
//!
//! - It is never ahead of the journal. A store whose last batch is below the mark has lost
//!   something that was confirmed: damaged, not torn.
//! - After the process was killed it is exact, since the system keeps what was written.
//! - After the power failed it may be behind, by [`SYNC_EVERY`] batches at most. Only then a
//!   journal whose very last batch is unreadable passes for one that was torn while being written.
//!
//! Two slots are written in turns, each with a checksum: a slot that was torn leaves the other. The
//! first 16 bytes and the place of the checksum are the same in every format.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::error::OpenError;

/// The format this version writes. There is no older one.
pub(super) const FORMAT: u32 = 1;

/// So many batches may go by before the mark is synced: well below 1 % more syncs.
pub(super) const SYNC_EVERY: u64 = 512;

const MARK_FILE: &str = "infinitic.mark";
const MAGIC: [u8; 8] = *b"infinite";
const SLOT_BYTES: usize = 64;
const SUM_AT: usize = SLOT_BYTES - 8;
// In pages of their own: no write of one can tear the other.
const SLOT_AT: [u64; 2] = [0, 4096];
const CLOSED: u32 = 1;

/// What the mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The last batch that is known to be durable.
    pub(super) batch: u64,
    /// Opened so many times in a row without a clean close, the current time included.
    pub(super) unclean: u32,
    /// The last user closed it.
    pub(super) closed: bool,
}

/// The mark's file, open for writing.
#[derive(Debug)]
pub(super) struct MarkFile {
    path: PathBuf,
    file: File,
    mark: Mark,
    generation: u64,
    unsynced: u64,
}

/// Reads a directory's mark; none when there is none.
pub(super) fn read(dir: &Path) -> Result<Option<Mark>, OpenError> {
    Ok(read_newest(dir)?.map(|(mark, _)| mark))
}

fn read_newest(dir: &Path) -> Result<Option<(Mark, u64)>, OpenError> {
    let path = dir.join(MARK_FILE);
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("read", &path, error)),
    }
    let mut newest: Option<(Mark, u64)> = None;
    for at in SLOT_AT {
        let slot = usize::try_from(at)
            .ok()
            .and_then(|at| bytes.get(at..at + SLOT_BYTES));
        let Some(slot) = slot.and_then(|slot| <&[u8; SLOT_BYTES]>::try_from(slot).ok()) else {
            continue;
        };
        match decode(slot) {
            Some(Slot::Known(mark, generation)) => {
                if newest.is_none_or(|(_, other)| other < generation) {
                    newest = Some((mark, generation));
                }
            }
            Some(Slot::Newer(found)) => {
                let dir = dir.to_path_buf();
                return Err(OpenError::NewerFormat {
                    dir,
                    found,
                    known: FORMAT,
                });
            }
            None => {
                tracing::warn!(file = %path.display(), at, "one slot of the mark is unreadable")
            }
        }
    }
    match newest {
        Some(newest) => Ok(Some(newest)),
        None => Err(OpenError::damaged(
            &path,
            "neither of its two slots matches its checksum",
        )),
    }
}

impl MarkFile {
    /// Creates the mark of an empty store, durably and at once.
    pub(super) fn create(dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(MARK_FILE);
        let fresh = dir.join("infinitic.mark.new");
        let write = || {
            let mark = Mark {
                batch: 0,
                unclean: 0,
                closed: true,
            };
            let mut bytes = vec![0; 2 * 4096];
            for (generation, at) in [(1_u64, 0), (0, 4096)] {
                bytes[at..at + SLOT_BYTES].copy_from_slice(&encode(mark, generation));
            }
            let mut file = File::create(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            super::open::sync_dir(dir)
        };
        write().map_err(|error| OpenError::io("create", &path, error))
    }

    /// Opens an existing mark for writing.
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(MARK_FILE);
        let Some((mark, generation)) = read_newest(dir)? else {
            return Err(OpenError::damaged(&path, "it is missing"));
        };
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(|error| OpenError::io("open", &path, error))?;
        Ok(Self {
            path,
            file,
            mark,
            generation,
            unsynced: 0,
        })
    }

    /// What was last written.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Writes down that `batch` is durable. Returns how many syncs that took.
    pub(super) fn advance(&mut self, batch: u64) -> u64 {
        self.mark.batch = batch;
        self.unsynced += 1;
        let sync = self.unsynced >= SYNC_EVERY;
        let written = self
            .put()
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) if sync => {
                self.unsynced = 0;
                1
            }
            Ok(()) => 0,
            Err(error) => {
                // The batch itself is durable: a mark that is behind only makes the check weaker.
                let file = self.path.display();
                tracing::warn!(%file, %error, "cannot write the mark; trying again later");
                0
            }
        }
    }

    /// Changes the mark durably, in both slots, so that no single slot's loss takes it back.
    pub(super) fn set(&mut self, mark: Mark) -> Result<(), OpenError> {
        self.mark = mark;
        self.put()
            .and_then(|()| self.file.sync_data())
            .and_then(|()| self.put())
            .and_then(|()| self.file.sync_data())
            .map_err(|error| OpenError::io("write", &self.path, error))
    }

    fn put(&mut self) -> io::Result<()> {
        let generation = self.generation + 1;
        let slot = if generation.is_multiple_of(2) {
            SLOT_AT[1]
        } else {
            SLOT_AT[0]
        };
        self.file.seek(SeekFrom::Start(slot))?;
        self.file.write_all(&encode(self.mark, generation))?;
        self.generation = generation;
        Ok(())
    }
}

enum Slot {
    Known(Mark, u64),
    Newer(u32),
}

fn encode(mark: Mark, generation: u64) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(&MAGIC);
    slot[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    slot[12..16].copy_from_slice(&u32::from(mark.closed).to_le_bytes());
    slot[16..24].copy_from_slice(&generation.to_le_bytes());
    slot[24..32].copy_from_slice(&mark.batch.to_le_bytes());
    slot[32..36].copy_from_slice(&mark.unclean.to_le_bytes());
    let sum = xxh3_64(&slot[..SUM_AT]);
    slot[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<Slot> {
    let u32_at = |at: usize| {
        slot.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let u64_at = |at: usize| {
        slot.get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes)
    };
    if slot[..8] != MAGIC || u64_at(SUM_AT)? != xxh3_64(&slot[..SUM_AT]) {
        return None;
    }
    match u32_at(8)? {
        FORMAT => {
            let closed = u32_at(12)? & CLOSED != 0;
            let mark = Mark {
                batch: u64_at(24)?,
                unclean: u32_at(32)?,
                closed,
            };
            Some(Slot::Known(mark, u64_at(16)?))
        }
        newer => Some(Slot::Newer(newer)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fresh() -> (tempfile::TempDir, MarkFile) {
        let dir = tempfile::tempdir().unwrap();
        MarkFile::create(dir.path()).unwrap();
        let mark = MarkFile::open(dir.path()).unwrap();
        (dir, mark)
    }

    #[test]
    fn the_newest_slot_wins_and_the_older_one_is_a_spare() {
        let (dir, mut mark) = fresh();
        for batch in 1..=5 {
            mark.advance(batch);
            assert_eq!(read(dir.path()).unwrap().unwrap().batch, batch);
        }
        let path = dir.path().join(MARK_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        let newest = if mark.generation.is_multiple_of(2) {
            4096
        } else {
            0
        };
        bytes[newest + 24] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap().batch, 4);
        bytes[4096 - newest + 60] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(dir.path()), Err(OpenError::Damaged { .. })));
    }

    #[test]
    fn syncs_come_once_in_many_batches() {
        let (_dir, mut mark) = fresh();
        let syncs: u64 = (1..=3 * SYNC_EVERY).map(|batch| mark.advance(batch)).sum();
        assert_eq!(syncs, 3);
    }

    #[test]
    fn a_newer_format_is_told_apart_from_damage() {
        let (dir, _) = fresh();
        let path = dir.path().join(MARK_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 2;
        let sum = xxh3_64(&bytes[..SUM_AT]).to_le_bytes();
        bytes[SUM_AT..SLOT_BYTES].copy_from_slice(&sum);
        std::fs::write(&path, &bytes).unwrap();
        let error = read(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::NewerFormat {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn no_mark_is_no_error_until_it_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        assert!(MarkFile::open(dir.path()).is_err());
    }
}
