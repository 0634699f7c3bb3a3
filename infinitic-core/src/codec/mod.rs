//! Bytes ↔ vocabulary. Nobody else knows which library writes them.
//!
//! Each blob begins with a version byte. Every version that was ever released decodes for ever: its
//! golden bytes stand in `tests/golden`.

mod body;
pub(crate) mod nesting;
mod sealed;

use std::sync::atomic::{AtomicU8, Ordering};

use crate::entry::Entry;
use crate::ids::InstanceId;
use crate::instance::Status;
use crate::message::Message;

/// The newest version that is read.
pub const NEWEST: u8 = 2;
/// The version that is written unless told otherwise: the release before this one reads it.
pub const DEFAULT: u8 = 1;

/// The version that this process writes.
static WRITTEN: AtomicU8 = AtomicU8::new(DEFAULT);

/// Sets the version that this process writes, from the next blob on: 1, the default, or 2, which
/// adds a checksum to each blob. All that read what it writes must know that version: deploy the
/// release that knows it everywhere first.
///
/// # Errors
/// [`UnknownFormat`] when this release does not write that version.
///
/// # Example
/// ```
/// assert!(infinitic_core::codec::write_format(1).is_ok());
/// assert!(infinitic_core::codec::write_format(9).is_err());
/// ```
pub fn write_format(version: u8) -> Result<(), UnknownFormat> {
    if !(DEFAULT..=NEWEST).contains(&version) {
        return Err(UnknownFormat(version));
    }
    WRITTEN.store(version, Ordering::Relaxed);
    Ok(())
}

/// A format that this release does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("format {0} is unknown: this release writes {DEFAULT} to {NEWEST}")]
pub struct UnknownFormat(pub u8);

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
    #[error("{what} has format {found}; this release reads up to {NEWEST}: use a newer release")]
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
    /// Which commit wrote it: unique among all that ever wrote the store.
    pub commit: u64,
}

/// Encodes a history row: header and entries.
#[must_use]
pub fn encode_row(header: RowHeader, entries: &[Entry]) -> Vec<u8> {
    blob(written(), 160, |bytes| {
        body::append_row(bytes, header, entries);
    })
}

/// Decodes a history row.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_row(bytes: &[u8]) -> Result<(RowHeader, Vec<Entry>), DecodeError> {
    body::decode_row(versioned(bytes, "history row")?)
}

/// Encodes a message to an instance.
#[must_use]
pub fn encode_message(to: InstanceId, message: &Message) -> Vec<u8> {
    blob(written(), 0, |bytes| {
        body::append_message(bytes, to, message);
    })
}

/// Decodes a message.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_message(bytes: &[u8]) -> Result<(InstanceId, Message), DecodeError> {
    body::decode_message(versioned(bytes, "message")?)
}

/// Encodes a value of the local protocol between a worker and other processes.
#[must_use]
pub fn encode_value<T: serde::Serialize>(value: &T) -> Vec<u8> {
    blob(written(), 0, |bytes| body::append_value(bytes, value))
}

/// Decodes a value of the local protocol.
///
/// # Errors
/// [`DecodeError`] when the bytes are damaged or newer than this release.
pub fn decode_value<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    body::decode_value(versioned(bytes, "value")?)
}

fn written() -> u8 {
    WRITTEN.load(Ordering::Relaxed)
}

fn blob(version: u8, room: usize, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room);
    bytes.push(version);
    if version == 1 {
        body(&mut bytes);
        return bytes;
    }
    sealed::begin(&mut bytes);
    body(&mut bytes);
    sealed::end(&mut bytes);
    bytes
}

fn versioned<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], DecodeError> {
    match bytes.split_first() {
        None => Err(DecodeError::Empty { what }),
        Some((1, rest)) => Ok(rest),
        Some((2, rest)) => sealed::open(rest, what),
        Some((&found, _)) if found > NEWEST => Err(DecodeError::NewerVersion { what, found }),
        Some((&found, _)) => Err(DecodeError::Damaged {
            what,
            reason: format!("version byte {found}"),
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// What these make of a type depends on its values, or on field names that bincode does not
    /// write: it would encode, and not decode again.
    const FORBIDDEN: [&str; 4] = ["flatten", "untagged", "tag =", "skip_serializing_if"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The arguments of each serde attribute, `cfg_attr` included, without line breaks.
    fn serde_attributes(source: &str) -> Vec<String> {
        let marks = ["serde(", "serde ("];
        let starts = marks.iter().flat_map(|mark| source.match_indices(mark));
        let attribute = |(at, _): (usize, &str)| {
            let line_start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let is_attribute = source[line_start..at].trim_start().starts_with("#[");
            let end = source[at..].find(']').map_or(source.len(), |end| at + end);
            is_attribute.then(|| {
                source[at..end]
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        starts.filter_map(attribute).collect()
    }

    fn forbidden(attribute: &str) -> Option<&'static str> {
        let spaced = attribute.replace('=', " = ").replace("  ", " ");
        FORBIDDEN.into_iter().find(|word| spaced.contains(word))
    }

    #[test]
    fn no_type_uses_what_bincode_cannot_read_back() {
        let mut files = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut files,
        );
        assert!(files.len() > 20, "{files:?}");
        let mut attributes = 0;
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            for attribute in serde_attributes(&source) {
                attributes += 1;
                let word = forbidden(&attribute);
                assert_eq!(word, None, "{}: {attribute}", file.display());
            }
        }
        assert!(
            attributes >= 3,
            "`nesting` is attached by attributes; found {attributes}"
        );
    }

    #[test]
    fn the_check_of_attributes_finds_them() {
        for (source, word) in [
            ("#[serde(flatten)]", Some("flatten")),
            ("    #[serde(default, untagged)]", Some("untagged")),
            ("#[serde(tag=\"kind\")]", Some("tag =")),
            ("#[serde(\n    tag = \"kind\",\n)]", Some("tag =")),
            (
                "#[cfg_attr(x, serde(skip_serializing_if = \"f\"))]",
                Some("skip_serializing_if"),
            ),
            ("#[serde(rename = \"a\")]", None),
        ] {
            let attributes = serde_attributes(source);
            assert_eq!(attributes.len(), 1, "{source}");
            assert_eq!(forbidden(&attributes[0]), word, "{source}");
        }
    }

    #[test]
    fn version_bytes_are_told_apart() {
        let bytes = encode_value(&7_u32);
        assert_eq!((bytes[0], decode_value::<u32>(&bytes)), (DEFAULT, Ok(7)));
        let what = "value";
        assert_eq!(decode_value::<u32>(&[]), Err(DecodeError::Empty { what }));
        let newer = DecodeError::NewerVersion { what, found: 3 };
        assert_eq!(decode_value::<u32>(&[3, 7]), Err(newer));
        let error = decode_value::<u32>(&[0, 7]).unwrap_err();
        assert_eq!(error.to_string(), "damaged value: version byte 0");
        let error = decode_value::<u32>(&[1, 7, 7]).unwrap_err();
        assert_eq!(error.to_string(), "damaged value: 1 bytes too many");
    }

    #[test]
    fn a_checksum_finds_each_flipped_bit() {
        let text = "what was confirmed";
        let mut bytes = blob(2, 0, |bytes| body::append_value(bytes, &text));
        // What was written once is read for ever.
        let golden = [2, 0xc2, 0x0f, 0x82, 0xa4, 18];
        assert_eq!((bytes.len(), &bytes[..6]), (24, &golden[..]));
        assert_eq!(decode_value::<String>(&bytes).as_deref(), Ok(text));
        for bit in 8..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = decode_value::<String>(&bytes).unwrap_err();
            assert_eq!(
                error.to_string(),
                "damaged value: its checksum is another one"
            );
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let error = decode_value::<String>(&bytes[..3]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "damaged value: it ends within its checksum"
        );
    }

    #[test]
    fn hostile_lengths_are_refused_without_allocating() {
        // Tags of a start: 2^64 - 1 of them.
        let mut bytes = vec![DEFAULT, 0, 0, 0, 1, b'w', 0];
        bytes.push(0xfd);
        bytes.extend([0xff; 8]);
        let error = decode_row(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Damaged { .. }), "{error:?}");
    }
}
