//! Kills: a child process writes and says after each batch that it was taken; it is killed at
//! random moments, and each batch that it confirmed is there afterwards.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod store_support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use infinitic_runtime::backend::KeyValue as _;
use infinitic_runtime::embedded::{EmbeddedStore, OpenError};

use store_support::{Random, Rows, apply, assert_rows, batch, read_all, seed};

const ROWS: u64 = 30;
const VALUE: u64 = 2_000;

/// What the other test starts as a process; nothing without `STORE_DIR`.
#[test]
fn child() {
    let Ok(dir) = std::env::var("STORE_DIR") else {
        return;
    };
    let store = EmbeddedStore::open(dir).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "open").unwrap();
    for number in store.last_batch() + 1.. {
        store.write(number, &batch(number, ROWS, VALUE)).unwrap();
        writeln!(out, "confirmed {number}").unwrap();
    }
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("STORE_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn each_confirmed_batch_survives_a_kill() {
    let mut random = Random(seed(4));
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let (mut rows, mut applied) = (Rows::new(), 0);
    for round in 0..20 {
        let mut child = start(&dir);
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        // Also while it is opening, and with thousands of batches in its journals.
        let after = if round % 5 == 4 {
            0
        } else {
            1 + random.below(500)
        };
        let mut confirmed = applied;
        let mut note = |line: &str| {
            if let Some(number) = line.strip_prefix("confirmed ") {
                confirmed = number.parse().unwrap();
            }
        };
        if after > 0 {
            lines.by_ref().find(|line| line.ends_with("open")).unwrap();
            let Err(OpenError::InUse { owner, .. }) = EmbeddedStore::open(&dir) else {
                panic!("the child has it open");
            };
            assert!(
                owner.contains(&format!("process {} ", child.id())),
                "{owner}"
            );
            lines
                .by_ref()
                .take(after as usize)
                .for_each(|line| note(&line));
        }
        child.kill().unwrap();
        lines.for_each(|line| note(&line));
        child.wait().unwrap();

        let store = EmbeddedStore::open(&dir).unwrap();
        let last = store.last_batch();
        assert!(
            last == confirmed || last == confirmed + 1,
            "{confirmed} confirmed, {last} found"
        );
        assert!(store.unclean_exits() <= 1, "the one before was closed");
        for number in applied + 1..=last {
            apply(&mut rows, &batch(number, ROWS, VALUE));
        }
        applied = last;
        assert_rows(&read_all(&store).unwrap(), &rows, &format!("round {round}"));
        store.close();
    }
    assert!(
        applied > 2_000,
        "{applied} batches are too few to mean something"
    );
}
