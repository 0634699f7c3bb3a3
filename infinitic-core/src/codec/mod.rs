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
    /// Which commit wrote it: unique among all that ever wrote the store.
    pub commit: u64,
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
        assert_eq!((bytes[0], decode_value::<u32>(&bytes)), (VERSION, Ok(7)));
        let what = "value";
        assert_eq!(decode_value::<u32>(&[]), Err(DecodeError::Empty { what }));
        let newer = DecodeError::NewerVersion { what, found: 2 };
        assert_eq!(decode_value::<u32>(&[2, 7]), Err(newer));
        let error = decode_value::<u32>(&[0, 7]).unwrap_err();
        assert_eq!(error.to_string(), "damaged value: version byte 0");
        let error = decode_value::<u32>(&[1, 7, 7]).unwrap_err();
        assert_eq!(error.to_string(), "damaged value: 1 bytes too many");
    }

    #[test]
    fn hostile_lengths_are_refused_without_allocating() {
        // Tags of a start: 2^64 - 1 of them.
        let mut bytes = vec![VERSION, 0, 0, 0, 1, b'w', 0];
        bytes.push(0xfd);
        bytes.extend([0xff; 8]);
        let error = decode_row(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Damaged { .. }), "{error:?}");
    }
}
