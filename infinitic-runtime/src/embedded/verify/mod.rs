//! Reads everything before the database may: what is damaged is refused, never passed over.
//!
//! What the database checks itself, and what this adds (`fjall` 3.1.13, `lsm-tree` 3.1.10):
//!
//! | File | The database | Here |
//! |---|---|---|
//! | `N.jnl` | sums the rows of a batch; a bad length, tag or trailer ends the replay in silence | every batch, their numbers without a gap, the order of their sequence numbers |
//! | `current` | nothing: another number in it brings an old list of tables back, and newer tables are deleted | its checksum of the manifest |
//! | `vN` | its table of contents only | all of it |
//! | `tables/N` | each block as it is read | all of it, up to a limit, before anything is opened |
//! | `version` | all of it | that it is there: without it the database creates itself anew |
//!
//! Only one thing is repaired: a torn tail. The journal is synced after each batch, so only its last
//! batch can be torn, and only one that was never confirmed. Unreadable bytes in a journal are such a
//! tail when no readable batch follows them *and* the last readable one is not below the mark.

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

/// So many bytes of tables are read before opening, about a second's work. In larger stores the other
/// tables are checked block by block as they are read.
const TABLE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const VERSION: &[u8] = b"FJL\x03";

/// Checks the closed database in `rows`. Batches up to `confirmed` must be there. Everything after
/// batch `cut_after` is removed, and a torn tail in any case.
pub(super) fn verify(
    rows: &Path,
    confirmed: u64,
    cut_after: Option<u64>,
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
    manifest::verify(rows, TABLE_BYTES_MAX)?;
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
