//! A real disk that is full, or read only: a small file system in memory, mounted by a child
//! process in a namespace of its own, which takes it away again however the child ends.
#![cfg(all(feature = "embedded", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod store_support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use infinitic_runtime::backend::{KeyValue as _, StoreError};
use infinitic_runtime::embedded::{EmbeddedStore, OpenError};

use store_support::{Rows, apply, assert_rows, batch, read_all};

const DISK: u64 = 48 * 1024 * 1024;

/// Runs one of the tests below with `STORE_DISK` being a small disk.
fn on_a_small_disk(test: &str) {
    let temp = tempfile::tempdir().unwrap();
    let namespaces: [&[&str]; 2] = [&["-m"], &["-rm"]];
    for flags in namespaces {
        let mount = format!(
            "mount -t tmpfs -o size={DISK} none '{}'",
            temp.path().display()
        );
        let works = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", &mount])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if works {
            let run = format!("{mount} && exec \"$0\" {test} --exact --nocapture");
            let status = Command::new("unshare")
                .args(flags)
                .args(["sh", "-c", &run])
                .arg(std::env::current_exe().unwrap())
                .env("STORE_DISK", temp.path())
                .status()
                .unwrap();
            assert!(status.success(), "{test} failed");
            return;
        }
    }
    eprintln!("skipped: this machine lets nobody mount a file system");
}

#[test]
fn a_full_disk_loses_nothing_and_ends_when_there_is_room() {
    on_a_small_disk("full_disk");
}

#[test]
fn a_read_only_directory_is_named() {
    on_a_small_disk("read_only");
}

fn disk() -> Option<PathBuf> {
    std::env::var_os("STORE_DISK").map(PathBuf::from)
}

/// Nothing without the disk of the other test.
#[test]
fn full_disk() {
    let Some(disk) = disk() else { return };
    // With little room the journal is what does not fit; with more a flush, in the background.
    for room in [1, 12, 14, 20] {
        let dir = disk.join(format!("data{room}"));
        fill_and_free(&disk, &dir, room * 1024 * 1024);
        fs::remove_dir_all(dir).unwrap();
    }
}

fn fill_and_free(disk: &Path, dir: &Path, room: u64) {
    let store = EmbeddedStore::open(dir).unwrap();
    let mut rows = Rows::new();
    let ballast = disk.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    for _ in 0..(DISK - room) / 4096 - 64 {
        file.write_all(&[1; 4096]).unwrap();
    }
    let (mut number, mut failures) = (1, 0);
    let mut last_failed = 0;
    // Goes on until the disk has been full for a while, and then as far again.
    let mut end = u64::MAX;
    while number < end {
        let next = batch(number, 30, 3_000);
        match store.write(number, &next) {
            Ok(()) => {
                apply(&mut rows, &next);
                number += 1;
            }
            Err(StoreError::Io(text)) => {
                assert!(number < end, "{text}");
                failures += 1;
                if failures == 1 {
                    eprintln!("first: {text}");
                }
                assert_eq!(store.last_batch(), number - 1);
                if failures % 5 == 0 {
                    // Reads may find the store closed while it cannot be opened: an error, no gap.
                    match read_all(&store) {
                        Ok(found) => assert_rows(&found, &rows, "while the disk is full"),
                        Err(error) => assert!(matches!(error, StoreError::Io(_)), "{error}"),
                    }
                }
                if failures == 12 {
                    eprintln!("full with batch {number}: {text}");
                    fs::remove_file(&ballast).unwrap();
                    drop(std::mem::replace(
                        &mut file,
                        File::create("/dev/null").unwrap(),
                    ));
                    last_failed = number;
                    end = number + 150;
                }
                assert!(failures < 40, "it does not go on: {text}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(last_failed > 0);
    assert_rows(&read_all(&store).unwrap(), &rows, "after the disk was full");
    drop(store);
    let store = EmbeddedStore::open(dir).unwrap();
    assert_eq!(store.last_batch(), number - 1);
    assert_rows(&read_all(&store).unwrap(), &rows, "after opening again");
    store.close();
    assert_eq!(EmbeddedStore::open(dir).unwrap().unclean_exits(), 0);
}

/// Nothing without the disk of the other test.
#[test]
fn read_only() {
    let Some(disk) = disk() else { return };
    let dir = disk.join("data");
    let store = EmbeddedStore::open(&dir).unwrap();
    store.write(1, &batch(1, 30, 100)).unwrap();
    store.close();
    remount(&disk, "ro");
    let error = EmbeddedStore::open(&dir).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
    let error = EmbeddedStore::open(disk.join("new")).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");
    remount(&disk, "rw");
    assert_eq!(EmbeddedStore::open(&dir).unwrap().last_batch(), 1);
}

/// The store's background threads may hold a file for a moment after it was closed.
fn remount(disk: &Path, mode: &str) {
    let options = format!("remount,{mode}");
    for _ in 0..600 {
        let mut mount = Command::new("mount");
        let mount = mount.args(["-o", &options]).arg(disk);
        if mount.stderr(Stdio::null()).status().unwrap().success() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    panic!("the disk cannot be mounted {mode}: it stays busy");
}
