//! Reads everything before the database may: what is damaged is refused, never passed over.
//!
//! What the database checks itself, and what this adds (`fjall` 3.1.13, `lsm-tree` 3.1.10):
//!
//! - Journals (`N.jnl`): the database sums the rows of a batch, but a bad length, tag or trailer
//!   ends its replay in silence. Here every batch is read, numbers must have no gap, and sequence
//!   numbers, which no checksum covers, must grow.
//! - `current` names the list of tables: the database checks nothing of it. Another number in it
//!   brings an older list back, and newer tables are deleted. Here the list must have the checksum
//!   that `current` holds.
//! - `vN`, the list: the database sums its table of contents only, this all of it.
//! - `tables/N`: the database sums each block as it reads it, this all of them before, up to a
//!   limit.
//! - `version`: without it, the database creates itself anew over what is there.
//!
//! Only one thing is repaired: a torn tail. The journal is synced after each batch, so only its
//! last batch can be torn, and only one that was never confirmed. Unreadable bytes in a journal are
//! such a tail when no readable batch follows them *and* the last readable one is not below the
//! mark. A copy of them is kept in `infinitic.torn`.
//!
//! Not found: a whole journal that somebody removed, if it was the oldest of several. Which
//! journals the database has removed itself is written nowhere.

mod frame;
mod journal;
mod manifest;

use std::fs;
use std::io;
use std::path::Path;

pub(super) use frame::value_hash;
pub(super) use journal::{FirstBatch, Journals};
pub(super) use manifest::damaged_table;

use super::error::OpenError;

/// So many bytes of tables are read before opening, about a second's work. In larger stores the
/// other tables are checked block by block as they are read.
const TABLE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const VERSION: &[u8] = b"FJL\x03";

/// Checks the closed database in `rows`. Batches up to `confirmed` must be there. Everything after
/// batch `cut_after` is removed, and a torn tail in any case. With `tables`, their bytes are read.
pub(super) fn verify(
    rows: &Path,
    confirmed: u64,
    cut_after: Option<u64>,
    tables: bool,
) -> Result<Journals, OpenError> {
    let version = rows.join("version");
    match fs::read(&version) {
        Ok(bytes) if bytes == VERSION => {}
        Ok(_) => {
            return Err(OpenError::damaged(
                &version,
                "it is not the version's four bytes",
            ));
        }
        Err(error) => return Err(missing_or(&version, error)),
    }
    manifest::verify(rows, if tables { TABLE_BYTES_MAX } else { 0 })?;
    journal::verify(rows, confirmed, cut_after)
}

/// A file that has to be there could not be read.
fn missing_or(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::damaged(path, "it is missing"),
        io::ErrorKind::UnexpectedEof => OpenError::damaged(path, "it is cut short"),
        _ => OpenError::io("read", path, error),
    }
}
