//! Opening a data directory: make or check it, lock it, verify it, and only then open the database.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::engine::{Engine, EngineError};
use super::error::OpenError;
use super::lock::DirLock;
use super::mark::{self, Mark, MarkFile};
use super::verify::{self, FirstBatch};

/// The database, below the data directory.
pub(super) const ROWS: &str = "rows";
// The database is created here and then renamed: a crash meanwhile leaves nothing half made.
const ROWS_NEW: &str = "rows.new";

/// A directory that is ours, with its database open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) lock: DirLock,
    pub(super) mark: MarkFile,
    pub(super) engine: Engine,
    pub(super) last_batch: u64,
    pub(super) unclean_exits: u32,
}

/// Opens `dir`, creating it and the store in it when they are not there.
pub(super) fn open(dir: &Path) -> Result<Opened, OpenError> {
    make_dir(dir)?;
    let lock = DirLock::acquire(dir)?;
    create_if_new(dir)?;
    let mut mark = MarkFile::open(dir)?;
    let found = mark.mark();
    let (engine, last_batch) = open_rows(dir, found.batch, Time::First)?;
    let unclean_exits = if found.closed { 0 } else { found.unclean };
    mark.set(Mark {
        batch: last_batch,
        unclean: unclean_exits + 1,
        closed: false,
    })?;
    Ok(Opened {
        lock,
        mark,
        engine,
        last_batch,
        unclean_exits,
    })
}

/// When the database is opened: what it may hold and what has to be read differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// By this process for the first time.
    First,
    /// After an error. What follows the last confirmed batch is removed: its sync has failed, so
    /// what can be read of it need not be on the disk.
    Again {
        /// The error was in the background, where damaged tables are met, too.
        tables: bool,
    },
}

/// Verifies and opens the database. Batches up to `confirmed` are known to be durable.
pub(super) fn open_rows(
    dir: &Path,
    confirmed: u64,
    time: Time,
) -> Result<(Engine, u64), OpenError> {
    let rows = dir.join(ROWS);
    let cut_after = (time != Time::First).then_some(confirmed);
    let journals = verify::verify(
        &rows,
        confirmed,
        cut_after,
        time != Time::Again { tables: false },
    )?;
    let failed = |error| match error {
        EngineError::Io(text) | EngineError::Background(text) => {
            OpenError::io("open", &rows, io::Error::other(text))
        }
        EngineError::Damaged(text) => OpenError::damaged(&rows, text),
    };
    let engine = Engine::open(&rows).map_err(failed)?;
    let last = engine.last_batch().map_err(failed)?;
    let expected = journals.last.unwrap_or(confirmed);
    if last < expected || journals.last.is_some_and(|newest| newest < last) {
        return Err(OpenError::damaged(
            &rows,
            format!("it ends with batch {last}, but batch {expected} was confirmed"),
        ));
    }
    if let Some(first) = &journals.first {
        compare(&engine, first, &failed)?;
    }
    Ok((engine, last))
}

/// The oldest batch in the journals is there, as far as no later one changes its rows.
fn compare(
    engine: &Engine,
    first: &FirstBatch,
    failed: &impl Fn(EngineError) -> OpenError,
) -> Result<(), OpenError> {
    for row in first.rows() {
        let found = engine.get_raw(row.keyspace, &row.key).map_err(failed)?;
        if found.map(|value| verify::value_hash(&value)) != row.value {
            let what = "rows of its first batch are not what was written";
            return Err(OpenError::damaged(&first.file, what));
        }
    }
    Ok(())
}

fn make_dir(dir: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::io("create", dir, error);
    match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(OpenError::NotADirectory {
                path: dir.to_path_buf(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(OpenError::NotADirectory { path: parent(dir) });
        }
        Err(error) => return Err(OpenError::io("open", dir, error)),
    }
    let parent = parent(dir);
    if !parent.exists() {
        return Err(OpenError::NoParent {
            path: dir.to_path_buf(),
            parent,
        });
    }
    fs::create_dir(dir).map_err(failed)?;
    sync_dir(&parent).map_err(failed)
}

fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn create_if_new(dir: &Path) -> Result<(), OpenError> {
    let (rows, fresh) = (dir.join(ROWS), dir.join(ROWS_NEW));
    let failed = |error| OpenError::io("create", &rows, error);
    let mark = mark::read(dir)?;
    match (mark, rows.try_exists().map_err(failed)?) {
        (Some(_), true) => return Ok(()),
        (None, true) => return Err(OpenError::damaged(&rows, "the mark beside it is missing")),
        (Some(Mark { batch: 1.., .. }), false) => {
            return Err(OpenError::damaged(&rows, "it is missing"));
        }
        // A mark of an empty store: its creation was cut short, or nothing is lost.
        (Some(_) | None, false) => {}
    }
    match fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let made = Engine::open(&fresh).and_then(Engine::close);
    made.map_err(|error| failed(io::Error::other(error.to_string())))?;
    MarkFile::create(dir)?;
    fs::rename(&fresh, &rows)
        .and_then(|()| sync_dir(dir))
        .map_err(failed)
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened, and renames need no sync of it.
    if cfg!(unix) {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}
