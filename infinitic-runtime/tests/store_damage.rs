//! Damaged and torn directories: everything that was confirmed is there, or the store says what is
//! wrong. Never rows missing in silence.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod store_support;

use std::fs::File;
use std::path::{Path, PathBuf};

use infinitic_runtime::backend::{KeyValue as _, StoreError, Table};
use infinitic_runtime::embedded::{EmbeddedStore, OpenError};

use store_support::{
    Random, Rows, apply, assert_rows, batch, copy_dir, files, flip, read_all, seed, used,
};

/// A directory with journals, manifests and tables, as a kill would leave it; all rows; last batch.
struct Template {
    _temp: tempfile::TempDir,
    dir: PathBuf,
    rows: Rows,
    last: u64,
}

/// Values of up to 8 KiB: a few hundred batches fill tables.
fn template(batches: u64) -> Template {
    let temp = tempfile::tempdir().unwrap();
    let (live, dir) = (temp.path().join("live"), temp.path().join("killed"));
    let store = EmbeddedStore::open(&live).unwrap();
    let mut rows = Rows::new();
    for number in 1..=batches {
        let batch = batch(number, 40, 8 * 1024);
        store.write(number, &batch).unwrap();
        apply(&mut rows, &batch);
        if number == batches / 2 {
            store.close();
            return template_continued(temp, dir, &live, rows, number, batches);
        }
    }
    unreachable!("a template has at least two batches");
}

fn template_continued(
    temp: tempfile::TempDir,
    dir: PathBuf,
    live: &Path,
    mut rows: Rows,
    done: u64,
    last: u64,
) -> Template {
    let store = EmbeddedStore::open(live).unwrap();
    for number in done + 1..=last {
        let batch = batch(number, 40, 8 * 1024);
        store.write(number, &batch).unwrap();
        apply(&mut rows, &batch);
    }
    wait_until_quiet(live);
    copy_dir(live, &dir);
    store.close();
    Template {
        _temp: temp,
        dir,
        rows,
        last,
    }
}

/// Waits until flushes and compactions have ended: files no longer come and go.
fn wait_until_quiet(dir: &Path) {
    let state = || -> Vec<(PathBuf, u64)> {
        files(dir)
            .into_iter()
            .filter_map(|f| Some((f.clone(), f.metadata().ok()?.len())))
            .collect()
    };
    let mut before = state();
    let mut same = 0;
    while same < 5 {
        std::thread::park_timeout(std::time::Duration::from_millis(50));
        let now = state();
        same = if now == before { same + 1 } else { 0 };
        before = now;
    }
}

enum End {
    Opened,
    Refused,
}

/// Opens a damaged copy: right in all, or refused with a file's name.
fn check(dir: &Path, template: &Template, context: &str) -> End {
    match EmbeddedStore::open(dir) {
        Ok(store) => {
            assert_eq!(store.last_batch(), template.last, "{context}");
            match read_all(&store) {
                Ok(rows) => {
                    assert_rows(&rows, &template.rows, context);
                    store.close();
                    End::Opened
                }
                Err(StoreError::Damaged(text)) => {
                    assert!(text.contains(dir.to_str().unwrap()), "{context}: {text}");
                    End::Refused
                }
                Err(other) => panic!("{context}: {other}"),
            }
        }
        Err(error @ OpenError::Damaged { .. }) => {
            let text = error.to_string();
            assert!(text.contains(dir.to_str().unwrap()), "{context}: {text}");
            assert!(text.contains("backup"), "{context}: {text}");
            End::Refused
        }
        Err(other) => panic!("{context}: {other}"),
    }
}

fn flips(template: &Template, seed: u64, count: u64, within: impl Fn(&Path) -> u64) -> (u64, u64) {
    let mut random = Random(seed);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..count {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy_dir(&template.dir, &dir);
        let files: Vec<_> = files(&dir)
            .into_iter()
            .filter(|file| within(file) > 0)
            .collect();
        let file = &files[random.below(files.len() as u64) as usize];
        // Behind the last byte that was ever written there is nothing to lose; look a little there.
        let limit = (used(file) + 16)
            .min(file.metadata().unwrap().len())
            .min(within(file));
        let bit = random.below(limit * 8);
        flip(file, bit);
        let name = file.strip_prefix(&dir).unwrap().display().to_string();
        let context = format!("seed {seed}, round {round}: bit {bit} of {name} ({limit} bytes)");
        match check(&dir, template, &context) {
            End::Opened => opened += 1,
            End::Refused => refused += 1,
        }
    }
    (opened, refused)
}

#[test]
fn a_flipped_bit_is_named_or_harmless() {
    let seed = seed(1);
    let template = template(setting("STORE_BATCHES", 250));
    let count = setting("STORE_FLIPS", 200);
    let histories = template.dir.join("rows/keyspaces/2/tables");
    assert!(!files(&histories).is_empty(), "histories were flushed");
    let (opened, refused) = flips(&template, seed, count, |_| u64::MAX);
    println!("any file: {opened} opened with all rows, {refused} refused");
    let journal = |file: &Path, bytes| {
        if file.extension().is_some_and(|e| e == "jnl") {
            bytes
        } else {
            0
        }
    };
    let (opened, refused) = flips(&template, seed, count / 2, |file| journal(file, u64::MAX));
    println!("journals: {opened} opened with all rows, {refused} refused");
    assert!(
        refused > count * 2 / 5,
        "nearly each bit of a journal counts"
    );
}

/// More of it by hand: a larger store has several journals.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn an_undamaged_copy_opens() {
    let template = template(20);
    assert!(matches!(
        check(&template.dir, &template, "undamaged"),
        End::Opened
    ));
}

#[test]
fn a_missing_file_is_named() {
    let template = template(60);
    let names: Vec<_> = files(&template.dir)
        .iter()
        .map(|file| file.strip_prefix(&template.dir).unwrap().to_path_buf())
        .collect();
    for name in names {
        if name.ends_with("infinitic.lock") {
            continue;
        }
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy_dir(&template.dir, &dir);
        std::fs::remove_file(dir.join(&name)).unwrap();
        let context = format!("without {}", name.display());
        // Journals are removed only with all tables in place: these are needed.
        assert!(
            matches!(check(&dir, &template, &context), End::Refused),
            "{context}"
        );
    }
}

#[test]
fn a_journal_cut_anywhere_before_its_confirmed_end_is_refused() {
    let seed = seed(2);
    let template = template(20);
    let mut random = Random(seed);
    for round in 0..30 {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy_dir(&template.dir, &dir);
        let journal = journal(&dir);
        let cut = random.below(used(&journal));
        File::options()
            .write(true)
            .open(&journal)
            .unwrap()
            .set_len(cut)
            .unwrap();
        let context = format!("seed {seed}, round {round}: cut at {cut}");
        assert!(
            matches!(check(&dir, &template, &context), End::Refused),
            "{context}"
        );
    }
}

fn journal(dir: &Path) -> PathBuf {
    let mut journals = files(dir);
    journals.retain(|file| file.extension().is_some_and(|e| e == "jnl"));
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

/// The head of a batch is covered by no checksum: each of its bits.
#[test]
fn each_bit_of_a_batchs_head_is_named_or_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let (live, dir) = (temp.path().join("live"), temp.path().join("killed"));
    let store = EmbeddedStore::open(&live).unwrap();
    let (mut rows, mut heads) = (Rows::new(), Vec::new());
    let last = 3;
    for number in 1..=last {
        // A new journal is empty, which the list of files leaves out.
        heads.push(if number == 1 {
            0
        } else {
            used(&journal(&live))
        });
        // The same rows again and again: an order that is wrong shows.
        let mut batch = batch(1, 30, 100);
        batch
            .iter_mut()
            .for_each(|op| op.value = Some(format!("{number}").into()));
        store.write(number, &batch).unwrap();
        apply(&mut rows, &batch);
    }
    drop(store);
    // Closed once, so that the journal is cut to its size and copies are small.
    EmbeddedStore::open(&live).unwrap().close();
    copy_dir(&live, &dir);
    let template = Template {
        _temp: temp,
        dir,
        rows,
        last,
    };
    for head in heads {
        for bit in head * 8..(head + 13) * 8 {
            let temp = tempfile::tempdir().unwrap();
            let dir = temp.path().join("data");
            copy_dir(&template.dir, &dir);
            flip(&journal(&dir), bit);
            check(&dir, &template, &format!("bit {bit} of the journal"));
        }
    }
}

/// A batch that was being written when the power failed: a copy of the mark from before it, and the
/// journal cut within it, or filled with other bytes, or with its first half missing.
#[test]
fn a_torn_tail_recovers_to_the_last_commit() {
    let seed = seed(3);
    let mut random = Random(seed);
    for round in 0..40 {
        let temp = tempfile::tempdir().unwrap();
        let (live, dir) = (temp.path().join("live"), temp.path().join("data"));
        let store = EmbeddedStore::open(&live).unwrap();
        let mut rows = Rows::new();
        for number in 1..=5 {
            let batch = batch(number, 20, 300);
            store.write(number, &batch).unwrap();
            apply(&mut rows, &batch);
        }
        let start = used(&journal(&live));
        let mark = std::fs::read(live.join("infinitic.mark")).unwrap();
        store.write(6, &batch(6, 20, 300)).unwrap();
        copy_dir(&live, &dir);
        std::fs::write(dir.join("infinitic.mark"), mark).unwrap();
        drop(store);
        let journal = journal(&dir);
        let end = used(&journal);
        let at = start + random.below(end - start);
        tear(&journal, start, at, round, &mut random);
        let context = format!("seed {seed}, round {round}: torn at {at} of {start}..{end}");
        let store = EmbeddedStore::open(&dir).expect(&context);
        assert_eq!(store.last_batch(), 5, "{context}");
        assert_rows(&read_all(&store).unwrap(), &rows, &context);
        // It goes on with the batch that was lost, and that is there after the next opening.
        store.write(6, &batch(6, 20, 300)).unwrap();
        apply(&mut rows, &batch(6, 20, 300));
        drop(store);
        let store = EmbeddedStore::open(&dir).expect(&context);
        assert_eq!(store.unclean_exits(), 2);
        assert_rows(&read_all(&store).unwrap(), &rows, &context);
    }
}

fn tear(journal: &Path, start: u64, at: u64, round: u64, random: &mut Random) {
    let mut bytes = std::fs::read(journal).unwrap();
    let (start, at) = (start as usize, at as usize);
    match round % 3 {
        0 => bytes.truncate(at),
        // The last block did not arrive.
        1 => bytes[at..].fill(0),
        // The first one did not, or there is something else in it.
        _ => bytes[start..=at]
            .iter_mut()
            .for_each(|byte| *byte = random.next() as u8),
    }
    std::fs::write(journal, bytes).unwrap();
}

/// The same bytes, but the mark knows that the batch was confirmed.
#[test]
fn a_damaged_last_batch_is_told_from_a_torn_one() {
    let template = template(20);
    for table in [Table::History, Table::Open] {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy_dir(&template.dir, &dir);
        let journal = journal(&dir);
        let last_byte = (used(&journal) - 1) * 8;
        flip(&journal, last_byte + u64::from(table == Table::Open));
        let error = EmbeddedStore::open(&dir).unwrap_err().to_string();
        assert!(error.contains("batch 20 was confirmed"), "{error}");
        assert!(error.contains(journal.to_str().unwrap()), "{error}");
    }
}
