//! Opening and closing: each wrong directory gets an error that says what to do, and exits are
//! counted.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used)]

use infinitic_runtime::backend::{KeyValue as _, ReadRows as _, RowOp, StoreError, Table};
use infinitic_runtime::embedded::{EmbeddedStore, OpenError};
use xxhash_rust::xxh3::xxh3_64;

fn row(key: &str) -> RowOp {
    RowOp {
        table: Table::Open,
        key: key.to_owned().into(),
        value: Some("value".into()),
    }
}

#[test]
fn it_is_created_closed_and_opened_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    for round in 0..4 {
        let store = EmbeddedStore::open(&dir).unwrap();
        assert_eq!(store.last_batch(), round);
        assert_eq!(store.unclean_exits(), 0);
        store.write(round + 1, &[row(&round.to_string())]).unwrap();
        store.close();
        store.close();
        assert!(matches!(
            store.write(round + 2, &[]),
            Err(StoreError::Io(_))
        ));
        assert!(matches!(
            store.get(Table::Open, b"0"),
            Err(StoreError::Io(_))
        ));
    }
    let store = EmbeddedStore::open(&dir).unwrap();
    assert_eq!(store.get(Table::Open, b"3").unwrap().unwrap(), "value");
}

#[test]
fn exits_without_a_close_are_counted_until_a_clean_one() {
    let temp = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = EmbeddedStore::open(temp.path()).unwrap();
        assert_eq!(store.unclean_exits(), round);
        store.write(u64::from(round) + 1, &[row("a")]).unwrap();
        drop(store);
    }
    EmbeddedStore::open(temp.path()).unwrap().close();
    assert_eq!(EmbeddedStore::open(temp.path()).unwrap().unclean_exits(), 0);
}

#[test]
fn a_batch_that_is_written_again_is_taken_once() {
    let temp = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(temp.path()).unwrap();
    store.write(1, &[row("a")]).unwrap();
    store.write(1, &[row("a")]).unwrap();
    assert_eq!(store.last_batch(), 1);
    assert_eq!(store.counters().rows, 1);
}

#[test]
fn the_second_is_refused_and_told_who_is_first() {
    let temp = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(temp.path()).unwrap();
    let error = EmbeddedStore::open(temp.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let pid = std::process::id().to_string();
    assert!(error.to_string().contains(&pid), "{error}");
    assert!(matches!(StoreError::from(error), StoreError::InUse(_)));
    first.write(1, &[row("a")]).unwrap();
    first.close();
    EmbeddedStore::open(temp.path()).unwrap();
}

#[test]
fn a_file_and_a_missing_parent_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = EmbeddedStore::open(&file).unwrap_err();
    assert!(matches!(error, OpenError::NotADirectory { .. }), "{error}");
    let error = EmbeddedStore::open(file.join("data")).unwrap_err();
    assert!(matches!(error, OpenError::NotADirectory { .. }), "{error}");
    let error = EmbeddedStore::open(temp.path().join("missing/data")).unwrap_err();
    assert!(matches!(error, OpenError::NoParent { .. }), "{error}");
    assert!(
        error.to_string().contains("missing does not exist"),
        "{error}"
    );
    assert!(!temp.path().join("missing").exists());
}

#[test]
fn a_newer_version_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    EmbeddedStore::open(temp.path()).unwrap().close();
    let mark = temp.path().join("infinitic.mark");
    let mut bytes = std::fs::read(&mark).unwrap();
    for slot in [0, 4096] {
        bytes[slot + 8] = 7;
        let sum = xxh3_64(&bytes[slot..slot + 56]).to_le_bytes();
        bytes[slot + 56..slot + 64].copy_from_slice(&sum);
    }
    std::fs::write(&mark, &bytes).unwrap();
    let error = EmbeddedStore::open(temp.path()).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::NewerFormat {
                found: 7,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(std::fs::read(&mark).unwrap(), bytes);
}

#[test]
fn a_creation_that_was_cut_short_is_begun_again() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    std::fs::create_dir_all(dir.join("rows.new/keyspaces")).unwrap();
    std::fs::write(dir.join("rows.new/0.jnl"), "half").unwrap();
    let store = EmbeddedStore::open(dir).unwrap();
    store.write(1, &[row("a")]).unwrap();
    store.close();
    // Lost as a whole, but the mark remembers that there was something.
    std::fs::rename(dir.join("rows"), dir.join("elsewhere")).unwrap();
    let error = EmbeddedStore::open(dir).unwrap_err();
    assert!(error.to_string().contains("it is missing"), "{error}");
    std::fs::rename(dir.join("elsewhere"), dir.join("rows")).unwrap();
    std::fs::remove_file(dir.join("infinitic.mark")).unwrap();
    let error = EmbeddedStore::open(dir).unwrap_err();
    assert!(
        error.to_string().contains("mark beside it is missing"),
        "{error}"
    );
}
