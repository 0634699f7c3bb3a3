//! What the drivers of SQL databases share: settings, connections, and commits laid out as columns.

pub(crate) mod batch;
pub(crate) mod bounds;
pub(crate) mod connections;
mod settings;

use crate::backend::StoreError;

pub use settings::SqlSettings;

/// Version of the tables that this program writes.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// When a member whose lease ran out is forgotten, in milliseconds.
pub(crate) const FORGOTTEN_AFTER_MS: i64 = 24 * 3600 * 1000;

/// Refuses tables of a newer program.
pub(crate) fn check_version(found: &str, prefix: &str) -> Result<u32, StoreError> {
    let version: u32 = found.parse().map_err(|_| {
        StoreError::Damaged(format!(
            "the table `{prefix}meta` holds the version `{found}`, which is no number"
        ))
    })?;
    if version > SCHEMA_VERSION {
        return Err(StoreError::NewerFormat(format!(
            "the tables `{prefix}…` have version {version}, and this program knows version \
             {SCHEMA_VERSION} at most; run the newer program, or give this one tables of its own \
             (another prefix or schema)"
        )));
    }
    Ok(version)
}
