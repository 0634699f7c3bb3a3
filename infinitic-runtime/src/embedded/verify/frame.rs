//! One batch in a journal, as the database writes it:
//!
//! ```text
//! start   1, rows u32, sequence number u64                       (covered by no checksum)
//! row     2, kind u8, packing u8, keyspace u64, length of the key u16, of the value u32,
//!         of the value on disk u32, key, value                   (repeated)
//! end     3, xxh3 of all rows u64, "FJL" 3
//! ```

use std::io::{self, BufRead, Read as _};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::embedded::engine::{BATCH_KEY, BATCHES_ID, KEYSPACES, parse_number};

const START: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
const ROW_HEAD: usize = 21;
const TRAILER: &[u8] = b"FJL\x03";
/// Bytes that tell whether a batch may begin somewhere.
pub(super) const PROBE: usize = 13 + 11;

/// A readable batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where the next one begins.
    pub(super) end: u64,
    pub(super) seqno: u64,
    pub(super) number: u64,
}

/// What a journal holds at some place.
pub(super) enum Next {
    Frame(Frame),
    /// Nothing that can be read, and what is wrong with it. The place may also just be unused.
    Broken(&'static str),
}

/// A row of a batch, before the batch's checksum is known to match.
pub(super) struct RowSeen<'a> {
    pub(super) keyspace: u64,
    pub(super) key: &'a [u8],
    /// The value's hash; none for a row that was removed.
    pub(super) value: Option<u64>,
}

/// Reads the batch at `at` of a file that ends at `file_end`.
pub(super) fn read_frame(
    input: &mut impl BufRead,
    at: u64,
    file_end: u64,
    visit: &mut dyn FnMut(RowSeen<'_>),
) -> io::Result<Next> {
    match parse(input, at, file_end, visit) {
        Ok(frame) => Ok(Next::Frame(frame)),
        Err(Stop::Broken(what)) => Ok(Next::Broken(what)),
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Next::Broken("the file ends within a batch"))
        }
        Err(Stop::Io(error)) => Err(error),
    }
}

/// Whether a batch may begin with these bytes; right for each one that does.
pub(super) fn may_begin(bytes: &[u8; PROBE]) -> bool {
    let keyspace = u64::from_le_bytes(array(&bytes[16..24]));
    bytes[0] == START && bytes[13] == ROW && bytes[15] == 0 && keyspace < KEYSPACES
}

enum Stop {
    Broken(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn parse(
    input: &mut impl BufRead,
    at: u64,
    file_end: u64,
    visit: &mut dyn FnMut(RowSeen<'_>),
) -> Result<Frame, Stop> {
    let start: [u8; 13] = read(input)?;
    if start[0] != START {
        return Err(Stop::Broken("no batch begins there"));
    }
    let rows = u32::from_le_bytes(array(&start[1..5]));
    let seqno = u64::from_le_bytes(array(&start[5..13]));
    let mut end = at + 13;
    let mut sum = Xxh3::new();
    let mut number = None;
    for _ in 0..rows {
        let head: [u8; ROW_HEAD] = read(input)?;
        let row = RowHead::parse(&head).ok_or(Stop::Broken("a row's head is unreadable"))?;
        end += (ROW_HEAD + row.key_length) as u64 + row.value_length;
        if end > file_end {
            return Err(Stop::Broken("a row is longer than the file"));
        }
        sum.update(&head);
        let mut key = vec![0; row.key_length];
        input.read_exact(&mut key)?;
        sum.update(&key);
        let value = read_value(input, row.value_length, &mut sum)?;
        if row.keyspace == BATCHES_ID && key == BATCH_KEY && number.is_none() {
            number = parse_number(&value.head);
        }
        let value = (!row.removed).then_some(value.hash);
        visit(RowSeen {
            keyspace: row.keyspace,
            key: &key,
            value,
        });
    }
    let tail: [u8; 13] = read(input)?;
    if tail[0] != END || tail[9..] != *TRAILER {
        return Err(Stop::Broken("a batch has no end"));
    }
    if u64::from_le_bytes(array(&tail[1..9])) != sum.digest() {
        return Err(Stop::Broken("a batch does not match its checksum"));
    }
    let number = number.ok_or(Stop::Broken("a batch has no number"))?;
    Ok(Frame {
        end: end + 13,
        seqno,
        number,
    })
}

struct RowHead {
    keyspace: u64,
    removed: bool,
    key_length: usize,
    value_length: u64,
}

impl RowHead {
    fn parse(head: &[u8; ROW_HEAD]) -> Option<Self> {
        let (tag, kind, packing) = (head[0], head[1], head[2]);
        let keyspace = u64::from_le_bytes(array(&head[3..11]));
        let key_length = u16::from_le_bytes(array(&head[11..13]));
        let value_length = u32::from_le_bytes(array(&head[13..17]));
        let on_disk = u32::from_le_bytes(array(&head[17..21]));
        // Rows are written, or removed for good, and never packed: the store writes nothing else.
        let ours = tag == ROW
            && kind <= 1
            && packing == 0
            && (BATCHES_ID..KEYSPACES).contains(&keyspace)
            && value_length == on_disk;
        ours.then_some(Self {
            keyspace,
            removed: kind == 1,
            key_length: usize::from(key_length),
            value_length: u64::from(value_length),
        })
    }
}

struct Value {
    // As much as a batch's number may have.
    head: Vec<u8>,
    hash: u64,
}

fn read_value(input: &mut impl BufRead, length: u64, sum: &mut Xxh3) -> Result<Value, Stop> {
    // In pieces: a value may be larger than the memory that the store is to use.
    let mut hasher = Xxh3::new();
    let mut head = Vec::new();
    let mut input = input.take(length);
    let mut read = 0;
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        sum.update(piece);
        hasher.update(piece);
        if head.len() <= 8 {
            head.extend(piece.iter().take(9 - head.len()));
        }
        let used = piece.len();
        read += used as u64;
        input.consume(used);
    }
    if read < length {
        return Err(Stop::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Value {
        head,
        hash: hasher.digest(),
    })
}

/// The hash by which values are compared.
pub(in crate::embedded) fn value_hash(value: &[u8]) -> u64 {
    xxh3_64(value)
}

fn read<const N: usize>(input: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes
        .try_into()
        .expect("Invariant: the slice was cut to this length")
}
