//! What the tests of damaged, killed and full stores share: batches that follow from their number,
//! and a copy of a directory as a kill would leave it.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use infinitic_runtime::backend::{KeyValue, RowOp, StoreError, Table};

pub(crate) type Rows = BTreeMap<(Table, Bytes), Bytes>;

/// A small generator: the same seed gives the same run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// The seed of a run: that of the environment, else the given one. Printed, so that a failure can
/// be repeated.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("STORE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(default);
    eprintln!("STORE_SEED={seed}");
    seed
}

/// Batch `number`: up to `rows` rows in all tables, some replacing or removing earlier ones.
pub(crate) fn batch(number: u64, rows: u64, value_max: u64) -> Vec<RowOp> {
    let mut random = Random(number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    (0..1 + random.below(rows))
        .map(|row| {
            // Half of all rows are histories: keys that only grow.
            let history = random.below(2) == 0;
            let table = if history {
                Table::History
            } else {
                Table::ALL[random.below(Table::ALL.len() as u64) as usize]
            };
            let key = if history {
                [&number.to_be_bytes()[..], &row.to_be_bytes()].concat()
            } else {
                random.below(5_000).to_be_bytes().to_vec()
            };
            let mut value = vec![0; random.below(value_max) as usize];
            value
                .iter_mut()
                .for_each(|byte| *byte = random.next() as u8);
            let gone = !history && random.below(3) == 0;
            RowOp {
                table,
                key: key.into(),
                value: (!gone).then(|| value.into()),
            }
        })
        .collect()
}

pub(crate) fn apply(model: &mut Rows, batch: &[RowOp]) {
    for op in batch {
        let at = (op.table, op.key.clone());
        match &op.value {
            Some(value) => model.insert(at, value.clone()),
            None => model.remove(&at),
        };
    }
}

/// All rows of a store, or the first error.
pub(crate) fn read_all(store: &dyn KeyValue) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    for table in Table::ALL {
        store.scan(table, &[], None, &mut |key, value| {
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            rows.insert((table, key), value);
            ControlFlow::Continue(())
        })?;
    }
    Ok(rows)
}

/// Fails with few words where two sets of rows differ.
pub(crate) fn assert_rows(found: &Rows, expected: &Rows, context: &str) {
    for (at, value) in expected {
        assert!(
            found.get(at) == Some(value),
            "{context}: row {at:?} is missing or changed"
        );
    }
    assert!(
        found.len() == expected.len(),
        "{context}: there are rows that were never written"
    );
}

/// Copies a directory that may be in use, as it is on the disk. Holes stay holes.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            copy_file(&entry.path(), &target);
        }
    }
}

fn copy_file(from: &Path, to: &Path) {
    const CHUNK: usize = 64 * 1024;
    let (mut from, mut to) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    loop {
        let length = from.read(&mut chunk).unwrap();
        if length == 0 {
            break;
        }
        if chunk[..length] != [0; CHUNK][..length] {
            to.seek(SeekFrom::Start(at)).unwrap();
            to.write_all(&chunk[..length]).unwrap();
        }
        at += length as u64;
    }
    to.set_len(at).unwrap();
}

/// All files below a directory that are not empty, sorted.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.metadata().unwrap().len() > 0 {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// How much of a file is used: up to its last byte that is not zero.
pub(crate) fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last as u64 + 1)
}

/// Changes one bit of a file.
pub(crate) fn flip(path: &Path, bit: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.read_exact(&mut byte).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.write_all(&byte).unwrap();
}
