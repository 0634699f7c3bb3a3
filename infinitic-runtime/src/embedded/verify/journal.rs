//! The journals: one chain of numbered batches over all files, oldest first.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::frame::{Frame, Next, PROBE, RowSeen, may_begin, read_frame};
use crate::embedded::error::OpenError;
use crate::embedded::open::sync_dir;

const CHUNK: usize = 64 * 1024;
static UNUSED: [u8; CHUNK] = [0; CHUNK];

// Flushes and compactions take a few sequence numbers between two batches, never a million.
const LEAP_MAX: u64 = 1 << 20;
// The database takes half the range for itself and asserts that it is not reached.
const SEQNO_MAX: u64 = 1 << 62;

/// What the journals hold.
#[derive(Debug)]
pub(in crate::embedded) struct Journals {
    /// Number of the last batch in them; none when all were flushed and removed.
    pub(in crate::embedded) last: Option<u64>,
    /// The first batch in them.
    pub(in crate::embedded) first: Option<FirstBatch>,
}

/// The oldest batch that the journals hold. No batch before it vouches for its sequence number,
/// which no checksum covers: were it too low, the database would take its rows for flushed ones and
/// skip them. So its rows are compared after opening, as far as no later batch changes them.
#[derive(Debug, Default)]
pub(in crate::embedded) struct FirstBatch {
    pub(in crate::embedded) file: PathBuf,
    // By the hash of keyspace and key. Where two rows share it, only one is compared.
    rows: HashMap<u64, FirstRow>,
}

/// A row of the first batch.
#[derive(Debug)]
pub(in crate::embedded) struct FirstRow {
    pub(in crate::embedded) keyspace: u64,
    pub(in crate::embedded) key: Vec<u8>,
    /// The value's hash; none when the row was removed.
    pub(in crate::embedded) value: Option<u64>,
}

impl FirstBatch {
    /// Its rows, but for those that a later batch changes.
    pub(in crate::embedded) fn rows(&self) -> impl Iterator<Item = &FirstRow> {
        self.rows.values()
    }

    fn add(&mut self, row: &RowSeen<'_>) {
        let RowSeen {
            keyspace, value, ..
        } = *row;
        let key = row.key.to_vec();
        self.rows.insert(
            row_hash(row),
            FirstRow {
                keyspace,
                key,
                value,
            },
        );
    }
}

fn row_hash(row: &RowSeen<'_>) -> u64 {
    xxh3_64_with_seed(row.key, row.keyspace)
}

/// Checks the journals in `rows` and cuts what was never confirmed off their end.
pub(super) fn verify(
    rows: &Path,
    confirmed: u64,
    cut_after: Option<u64>,
) -> Result<Journals, OpenError> {
    let files = list(rows)?;
    let mut walk = Walk {
        cut_after,
        last: None,
        first: FirstBatch::default(),
        tail: None,
    };
    for path in &files {
        walk.file(path)?;
    }
    let last = walk.last.map(|frame| frame.number);
    if let (Some(last), Some(newest)) = (last, files.last())
        && last < confirmed
    {
        return Err(match &walk.tail {
            Some(tail) => tail.damaged(&format!("batch {confirmed} was confirmed")),
            None => OpenError::damaged(
                newest,
                format!("the last batch is {last}, but batch {confirmed} was confirmed"),
            ),
        });
    }
    if let Some(tail) = &walk.tail {
        // A failed write leaves nothing worth keeping, and perhaps no room to keep it.
        tail.cut(rows, cut_after.is_none())?;
    }
    // What was seen of a torn first batch does not count.
    let first = last.is_some().then_some(walk.first);
    Ok(Journals { last, first })
}

/// The journals' files, oldest first.
fn list(rows: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |error| OpenError::io("list", rows, error);
    let mut ids = Vec::new();
    for entry in fs::read_dir(rows).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".jnl"));
        if let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    let path = |id: u64| rows.join(format!("{id}.jnl"));
    // New journals are numbered on, and the oldest is removed first.
    if let Some(gap) = ids.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        return Err(OpenError::damaged(&path(gap[0] + 1), "it is missing"));
    }
    if ids.is_empty() {
        return Err(OpenError::damaged(rows, "there is no journal in it"));
    }
    Ok(ids.into_iter().map(path).collect())
}

struct Walk {
    cut_after: Option<u64>,
    last: Option<Frame>,
    first: FirstBatch,
    tail: Option<Tail>,
}

impl Walk {
    fn file(&mut self, path: &Path) -> Result<(), OpenError> {
        let mut reader = Reader::open(path)?;
        loop {
            let at = reader.at;
            let (is_first, first) = (self.last.is_none(), &mut self.first);
            if is_first {
                first.file = path.to_path_buf();
            }
            let mut keep = |row: RowSeen<'_>| {
                if is_first {
                    first.add(&row);
                } else {
                    first.rows.remove(&row_hash(&row));
                }
            };
            let frame = match reader.next(&mut keep)? {
                Next::Frame(frame) => frame,
                Next::Broken(what) => return self.broken(&mut reader, at, what),
            };
            if let Some(tail) = &self.tail {
                return Err(tail.damaged(&format!("batch {} follows", frame.number)));
            }
            if self.cut_after.is_some_and(|last| frame.number > last) {
                let what = "a batch was never confirmed";
                self.tail = Some(Tail {
                    path: path.to_path_buf(),
                    at,
                    what,
                });
                return Ok(());
            }
            self.link(frame, at, path)?;
        }
    }

    fn broken(
        &mut self,
        reader: &mut Reader,
        at: u64,
        what: &'static str,
    ) -> Result<(), OpenError> {
        if reader.rest_is_unused(at)? {
            return Ok(());
        }
        let tail = Tail {
            path: reader.path.clone(),
            at,
            what,
        };
        if let Some(number) = reader.batch_after(at)? {
            return Err(tail.damaged(&format!("batch {number} follows")));
        }
        self.tail.get_or_insert(tail);
        Ok(())
    }

    fn link(&mut self, frame: Frame, at: u64, path: &Path) -> Result<(), OpenError> {
        let damaged = |what| Err(OpenError::damaged(path, format!("at byte {at}, {what}")));
        if let Some(last) = self.last {
            if frame.number != last.number + 1 {
                return damaged(format!(
                    "batch {} follows batch {}",
                    frame.number, last.number
                ));
            }
            if frame.seqno <= last.seqno || frame.seqno - last.seqno > LEAP_MAX {
                return damaged(format!("batch {} has an impossible place", frame.number));
            }
        } else if frame.seqno >= SEQNO_MAX {
            return damaged(format!("batch {} has an impossible place", frame.number));
        }
        self.last = Some(frame);
        Ok(())
    }
}

/// The part of a journal that is not a readable batch, and not unused either.
struct Tail {
    path: PathBuf,
    at: u64,
    what: &'static str,
}

impl Tail {
    fn damaged(&self, proof: &str) -> OpenError {
        let Self { path, at, what } = self;
        OpenError::damaged(path, format!("{what} (byte {at}), but {proof}"))
    }

    /// Removes it, after writing a copy beside the database when `keep` says so.
    fn cut(&self, rows: &Path, keep: bool) -> Result<(), OpenError> {
        let Self { path, at, what } = self;
        tracing::warn!(journal = %path.display(), at, what, keep, "removing a torn tail");
        let failed = |error| OpenError::io("cut the torn tail off", path, error);
        if keep {
            self.copy(&rows.with_file_name("infinitic.torn"))
                .map_err(failed)?;
        }
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.set_len(*at)
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }

    fn copy(&self, to: &Path) -> io::Result<()> {
        let mut from = File::open(&self.path)?;
        from.seek(SeekFrom::Start(self.at))?;
        let mut to_file = File::create(to)?;
        let (mut chunk, mut unused) = (vec![0; CHUNK], 0);
        loop {
            let length = from.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            if chunk[..length] == UNUSED[..length] {
                unused += length as u64;
            } else {
                // Unused space is written only where something follows it.
                io::copy(&mut io::repeat(0).take(unused), &mut to_file)?;
                unused = 0;
                to_file.write_all(&chunk[..length])?;
            }
        }
        to_file.sync_all()?;
        to.parent().map_or(Ok(()), sync_dir)
    }
}

/// A journal, batch by batch.
struct Reader {
    path: PathBuf,
    input: BufReader<File>,
    at: u64,
    end: u64,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::io("read", path, error);
        let file = File::open(path).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let input = BufReader::with_capacity(4 * CHUNK, file);
        Ok(Self {
            path: path.to_path_buf(),
            input,
            at: 0,
            end,
        })
    }

    fn next(&mut self, visit: &mut dyn FnMut(RowSeen<'_>)) -> Result<Next, OpenError> {
        let next = read_frame(&mut self.input, self.at, self.end, visit);
        let next = next.map_err(|error| self.failed(error))?;
        if let Next::Frame(frame) = next {
            self.at = frame.end;
        }
        Ok(next)
    }

    /// Whether nothing was ever written from `at` on: files are made larger than what they hold.
    fn rest_is_unused(&mut self, at: u64) -> Result<bool, OpenError> {
        self.seek(at)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            match self
                .input
                .read(&mut chunk)
                .map_err(|error| self.failed(error))?
            {
                0 => return Ok(true),
                length if chunk[..length] == UNUSED[..length] => {}
                _ => return Ok(false),
            }
        }
    }

    /// The number of a readable batch that begins after `at`.
    fn batch_after(&mut self, at: u64) -> Result<Option<u64>, OpenError> {
        // Windows overlap by all but one byte of a probe, so each place is probed once.
        let mut window = vec![0; CHUNK];
        let mut from = at + 1;
        while from < self.end {
            self.seek(from)?;
            let mut length = 0;
            while length < window.len() {
                match self
                    .input
                    .read(&mut window[length..])
                    .map_err(|e| self.failed(e))?
                {
                    0 => break,
                    more => length += more,
                }
            }
            if window[..length] != UNUSED[..length] {
                let probes = window[..length].windows(PROBE).enumerate();
                let begins: Vec<u64> = probes
                    .filter(|(_, bytes)| bytes.first_chunk().is_some_and(may_begin))
                    .map(|(offset, _)| from + offset as u64)
                    .collect();
                for begin in begins {
                    self.seek(begin)?;
                    let next = read_frame(&mut self.input, begin, self.end, &mut |_| ());
                    if let Next::Frame(frame) = next.map_err(|error| self.failed(error))? {
                        return Ok(Some(frame.number));
                    }
                }
            }
            from += (CHUNK - (PROBE - 1)) as u64;
        }
        Ok(None)
    }

    fn seek(&mut self, at: u64) -> Result<(), OpenError> {
        self.input
            .seek(SeekFrom::Start(at))
            .map(drop)
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> OpenError {
        OpenError::io("read", &self.path, error)
    }
}
