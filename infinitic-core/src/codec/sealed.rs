//! Format 2: the body behind a CRC-32 of it (ISO-HDLC, little endian), so that a store or a broker
//! which returns other bytes than it was given is found out.

use super::DecodeError;

/// Bytes of the checksum.
const SUM: usize = 4;

/// Leaves room for the checksum of what follows.
pub(super) fn begin(bytes: &mut Vec<u8>) {
    bytes.extend([0; SUM]);
}

/// Writes the checksum of what stands behind the version byte and the room for it.
pub(super) fn end(bytes: &mut [u8]) {
    let sum = crc32fast::hash(&bytes[1 + SUM..]);
    bytes[1..=SUM].copy_from_slice(&sum.to_le_bytes());
}

/// The body, checked; `bytes` begin behind the version byte.
pub(super) fn open<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], DecodeError> {
    let damaged = |reason: &str| DecodeError::Damaged {
        what,
        reason: reason.to_owned(),
    };
    let (sum, body) = bytes
        .split_first_chunk::<SUM>()
        .ok_or_else(|| damaged("it ends within its checksum"))?;
    if u32::from_le_bytes(*sum) != crc32fast::hash(body) {
        return Err(damaged("its checksum is another one"));
    }
    Ok(body)
}
