//! Manifests and tables: `keyspaces/K/current` names the manifest `vN` and holds its checksum, the
//! manifest lists the tables with theirs.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::missing_or;
use crate::embedded::engine::KEYSPACES;
use crate::embedded::error::OpenError;

const KEYSPACES_DIR: &str = "keyspaces";
const TABLES_DIR: &str = "tables";
const CHUNK: usize = 256 * 1024;
// "SFA!", version, kind of checksum, checksum and place of the table of contents, its length.
const TRAILER: usize = 4 + 1 + 1 + 16 + 8 + 8;

struct Listed {
    path: PathBuf,
    sum: u128,
}

/// Checks all manifests, that all tables are there, and the bytes of tables up to `bytes_max`.
pub(super) fn verify(rows: &Path, bytes_max: u64) -> Result<(), OpenError> {
    let mut bytes_left = bytes_max;
    for keyspace in 0..KEYSPACES {
        for table in tables(rows, keyspace)? {
            let size = fs::metadata(&table.path)
                .map_err(|e| missing_or(&table.path, e))?
                .len();
            if size <= bytes_left {
                bytes_left -= size;
                verify_table(&table)?;
            }
        }
    }
    Ok(())
}

/// The damaged table of an open database, if one is found; it may change meanwhile.
pub(in crate::embedded) fn damaged_table(rows: &Path) -> Option<OpenError> {
    let tables = (0..KEYSPACES)
        .filter_map(|keyspace| tables(rows, keyspace).ok())
        .flatten();
    tables
        // Compaction may have removed it since the manifest was read.
        .filter(|table| table.path.exists())
        .find_map(|table| verify_table(&table).err())
}

fn tables(rows: &Path, keyspace: u64) -> Result<Vec<Listed>, OpenError> {
    let dir = rows.join(KEYSPACES_DIR).join(keyspace.to_string());
    let current = dir.join("current");
    let pointer = fs::read(&current).map_err(|error| missing_or(&current, error))?;
    let mut fields = Fields(&pointer);
    let (Some(id), Some(sum), Some(0), []) = (fields.u64(), fields.u128(), fields.u8(), fields.0)
    else {
        return Err(OpenError::damaged(&current, "it does not name a manifest"));
    };
    let path = dir.join(format!("v{id}"));
    let manifest = fs::read(&path).map_err(|error| missing_or(&path, error))?;
    if xxh3_128(&manifest) != sum {
        return Err(OpenError::damaged(
            &path,
            "the list of tables does not match the checksum in `current` beside it",
        ));
    }
    let listed = section(&manifest, b"tables").and_then(|bytes| listed(bytes, &dir));
    listed.ok_or_else(|| OpenError::damaged(&path, "it does not list tables"))
}

/// A named part of a manifest, through the table of contents at its end.
fn section<'a>(file: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut trailer = Fields(file.get(file.len().checked_sub(TRAILER)?..)?);
    let (_magic, _version_and_kind) = (trailer.take(4)?, trailer.take(2)?);
    let (_sum, at) = (trailer.u128()?, trailer.u64()?);
    let mut contents = Fields(file.get(usize::try_from(at).ok()?..)?);
    let _magic = contents.take(4)?;
    for _ in 0..contents.u32()? {
        let (at, length) = (contents.u64()?, contents.u64()?);
        let name_length = contents.u16()?;
        if contents.take(usize::from(name_length))? == wanted {
            let at = usize::try_from(at).ok()?;
            return file.get(at..at.checked_add(usize::try_from(length).ok()?)?);
        }
    }
    None
}

fn listed(section: &[u8], dir: &Path) -> Option<Vec<Listed>> {
    let mut fields = Fields(section);
    let mut tables = Vec::new();
    for _level in 0..fields.u8()? {
        for _run in 0..fields.u8()? {
            for _table in 0..fields.u32()? {
                let (id, _kind, sum) = (fields.u64()?, fields.u8()?, fields.u128()?);
                let _sequence_number = fields.u64()?;
                tables.push(Listed {
                    path: dir.join(TABLES_DIR).join(id.to_string()),
                    sum,
                });
            }
        }
    }
    Some(tables)
}

fn verify_table(table: &Listed) -> Result<(), OpenError> {
    let failed = |error| missing_or(&table.path, error);
    let mut file = File::open(&table.path).map_err(failed)?;
    let mut hasher = Xxh3::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => break,
            length => hasher.update(&chunk[..length]),
        }
    }
    if hasher.digest128() == table.sum {
        Ok(())
    } else {
        Err(OpenError::damaged(
            &table.path,
            "a table of rows does not match its checksum",
        ))
    }
}

/// Little-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn u128(&mut self) -> Option<u128> {
        Some(u128::from_le_bytes(self.take(16)?.try_into().ok()?))
    }
}
