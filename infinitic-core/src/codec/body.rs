//! The body of formats 1 and 2: `bincode` 2 with its standard configuration (little endian,
//! variable-length integers).

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BLOB_BYTES_MAX, DecodeError, RowHeader};
use crate::entry::Entry;
use crate::ids::InstanceId;
use crate::instance::Status;
use crate::message::Message;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<BLOB_BYTES_MAX>()
}

fn append<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    struct Tail<'a>(&'a mut Vec<u8>);
    impl bincode::enc::write::Writer for Tail<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    bincode::serde::encode_into_writer(value, Tail(bytes), config())
        .expect("the vocabulary holds nothing that bincode cannot write");
}

fn take<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<(T, usize), DecodeError> {
    bincode::serde::decode_from_slice(bytes, config()).map_err(|e| DecodeError::Damaged {
        what,
        reason: e.to_string(),
    })
}

fn whole<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, DecodeError> {
    let (value, read) = take(bytes, what)?;
    if read == bytes.len() {
        return Ok(value);
    }
    Err(DecodeError::Damaged {
        what,
        reason: format!("{} bytes too many", bytes.len() - read),
    })
}

pub(super) fn append_row(bytes: &mut Vec<u8>, header: RowHeader, entries: &[Entry]) {
    append(bytes, &header.status);
    append(bytes, &header.commit);
    for entry in entries {
        append(bytes, entry);
    }
}

pub(super) fn decode_row(bytes: &[u8]) -> Result<(RowHeader, Vec<Entry>), DecodeError> {
    let what = "history row";
    let (status, read) = take::<Status>(bytes, what)?;
    let mut rest = &bytes[read..];
    let (commit, read) = take::<u64>(rest, what)?;
    rest = &rest[read..];
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, read) = take::<Entry>(rest, what)?;
        entries.push(entry);
        rest = &rest[read..];
    }
    Ok((RowHeader { status, commit }, entries))
}

pub(super) fn append_message(bytes: &mut Vec<u8>, to: InstanceId, message: &Message) {
    append(bytes, &to);
    append(bytes, message);
}

pub(super) fn decode_message(bytes: &[u8]) -> Result<(InstanceId, Message), DecodeError> {
    let (to, read) = take::<InstanceId>(bytes, "message")?;
    Ok((to, whole(&bytes[read..], "message")?))
}

pub(super) fn append_value<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    append(bytes, value);
}

pub(super) fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    whole(bytes, "value")
}
