//! Damage that is met only after opening: tables beyond those that are read beforehand.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::engine::{Engine, EngineError};
use super::{EmbeddedStore, open, verify};
use crate::backend::{KeyValue as _, ReadRows as _, RowOp, StoreError, Table};

const ROWS: u64 = 3_000;

fn value(row: u64) -> Bytes {
    let mut state = row;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (state >> 56) as u8
    };
    (0..4_000).map(|_| next()).collect()
}

/// A store with several tables of histories.
fn filled(dir: &Path) -> EmbeddedStore {
    let store = EmbeddedStore::open(dir).unwrap();
    for row in 0..ROWS {
        let key = Bytes::copy_from_slice(&row.to_be_bytes());
        let op = RowOp {
            table: Table::History,
            key,
            value: Some(value(row)),
        };
        store.write(row + 1, &[op]).unwrap();
    }
    store
}

fn tables(dir: &Path) -> Vec<PathBuf> {
    let tables = dir.join("rows/keyspaces/2/tables");
    let mut paths: Vec<_> = fs::read_dir(tables)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Without the check beforehand: each row is right or its reading fails.
#[test]
fn a_table_that_was_not_checked_is_never_read_wrong() {
    let temp = tempfile::tempdir().unwrap();
    let original = temp.path().join("original");
    filled(&original).close();
    // Without the padding of a journal that was never reopened, copies are small.
    EmbeddedStore::open(&original).unwrap().close();
    let (mut clean, mut failed) = (0, 0);
    for round in 0..40_u64 {
        let dir = temp.path().join(round.to_string());
        copy(&original, &dir);
        let tables = tables(&dir);
        let table = &tables[round as usize % tables.len()];
        let mut bytes = fs::read(table).unwrap();
        let at = (round.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bytes.len() as u64) as usize;
        bytes[at] ^= 1 << (round % 8);
        fs::write(table, bytes).unwrap();
        let rows = dir.join(open::ROWS);
        let damaged = match Engine::open(&rows) {
            Ok(engine) => {
                (0..ROWS).any(|row| match engine.get(Table::History, &row.to_be_bytes()) {
                    Ok(found) => {
                        assert!(
                            found == Some(value(row)),
                            "round {round}: row {row} is not right"
                        );
                        false
                    }
                    Err(EngineError::Damaged(_)) => true,
                    Err(other) => panic!("round {round}: {other}"),
                })
            }
            Err(EngineError::Damaged(_)) => true,
            Err(other) => panic!("round {round}: {other}"),
        };
        if damaged {
            let named = verify::damaged_table(&rows).unwrap().to_string();
            assert!(
                named.contains(table.to_str().unwrap()),
                "round {round}: {named}"
            );
            failed += 1;
        } else {
            clean += 1;
        }
        fs::remove_dir_all(dir).unwrap();
    }
    assert!(
        failed > clean,
        "{failed} of the flips were met, {clean} were not"
    );
}

/// Damage that comes while the store is open is named when it is read.
#[test]
fn damage_under_an_open_store_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let store = filled(temp.path());
    let mut met = None;
    for table in tables(temp.path()) {
        let mut bytes = fs::read(&table).unwrap();
        let middle = bytes.len() / 2;
        bytes[..middle].iter_mut().for_each(|byte| *byte ^= 0x55);
        // In place: the database has it open.
        fs::write(&table, bytes).unwrap();
    }
    for row in 0..ROWS {
        match store.get(Table::History, &row.to_be_bytes()) {
            Ok(found) => assert!(found == Some(value(row))),
            Err(error) => met = Some(error),
        }
    }
    let Some(StoreError::Damaged(text)) = met else {
        panic!("nothing was met: {met:?}")
    };
    assert!(text.contains("keyspaces/2/tables/"), "{text}");
}
