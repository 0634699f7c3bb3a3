//! Bytes ↔ vocabulary. Nobody else knows which library writes them.
//!
//! Each blob begins with a version byte. Every version that was ever released decodes for ever: its
//! golden bytes stand in `tests/golden`.

pub(crate) mod nesting;
mod v1;

use crate::entry::Entry;
use crate::ids::InstanceId;
use crate::instance::Status;
use crate::message::Message;

/// The version that is written.
pub const VERSION: u8 = 1;

/// Largest blob that is decoded. Hostile length prefixes must not allocate without bound.
const BLOB_BYTES_MAX: usize = 1 << 30;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is nothing.
    #[error("empty {what}")]
    Empty {
        /// What was expected.
        what: &'static str,
    },
    /// A newer release wrote it.
    #[error("{what} has format {found}; this release reads up to {VERSION}: use a newer release")]
    NewerVersion {
        /// What was expected.
        what: &'static str,
        /// The version byte.
        found: u8,
    },
    /// The bytes do not decode.
    #[error("damaged {what}: {reason}")]
    Damaged {
        /// What was expected.
        what: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

/// The small header of a history row, readable without the row's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowHeader {
    /// How the instance stands after this row.
    pub status: Status,
    /// Which process wrote it: makes a commit's identity unique.
    pub epoch: u64,
}

/// Encodes a history row: header and entries.
#[must_use]
pub fn encode_row(header: RowHeader, entries: &[Entry]) -> Vec<u8> {
    v1::encode_row(header, entries)
}

/// Decodes a history row.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_row(bytes: &[u8]) -> Result<(RowHeader, Vec<Entry>), DecodeError> {
    v1::decode_row(versioned(bytes, "history row")?)
}

/// Encodes a message to an instance.
#[must_use]
pub fn encode_message(to: InstanceId, message: &Message) -> Vec<u8> {
    v1::encode_message(to, message)
}

/// Decodes a message.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_message(bytes: &[u8]) -> Result<(InstanceId, Message), DecodeError> {
    v1::decode_message(versioned(bytes, "message")?)
}

/// Encodes a value of the local protocol between a worker and other processes.
#[must_use]
pub fn encode_value<T: serde::Serialize>(value: &T) -> Vec<u8> {
    v1::encode_value(value)
}

/// Decodes a value of the local protocol.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_value<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    v1::decode_value(versioned(bytes, "value")?)
}

fn versioned<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], DecodeError> {
    match bytes.split_first() {
        None => Err(DecodeError::Empty { what }),
        Some((&VERSION, rest)) => Ok(rest),
        Some((&found, _)) if found > VERSION => Err(DecodeError::NewerVersion { what, found }),
        Some((&found, _)) => Err(DecodeError::Damaged {
            what,
            reason: format!("version byte {found}"),
        }),
    }
}
