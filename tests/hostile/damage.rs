//! Torn and damaged directories, seen through a worker: all that was confirmed is there, or it is
//! said what is damaged. Never a start with instances missing in silence.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use infinitic::prelude::*;
use tokio::sync::watch;

use crate::{assert_says, run, with_worker};

const ENDED: u32 = 20;
const WAITING: u32 = 10;
const FLIPS: u64 = 40;

#[derive(Clone, Default)]
struct Gate(watch::Sender<bool>);

#[service]
impl Gate {
    async fn pass(&self, number: u32) -> u32 {
        let mut open = self.0.subscribe();
        tokio::select! {
            passed = open.wait_for(|open| *open) => drop(passed.unwrap()),
            () = task::cancelled() => {}
        }
        number
    }
}

#[workflow]
async fn passes(number: u32, waits: bool) -> Result<u32> {
    if waits {
        return Ok(new_service::<GateStub>().pass(number).await? * 2);
    }
    timer(std::time::Duration::from_millis(1)).await;
    Ok(number * 2)
}

/// A directory as a kill leaves it: instances that have ended, and some that wait.
struct Killed {
    temp: tempfile::TempDir,
    /// In order; and one more, whose start was the last thing written.
    ids: Vec<InstanceId>,
    last: InstanceId,
    /// The mark and the journal's end from before the last start.
    mark: Vec<u8>,
    torn_from: u64,
}

impl Killed {
    fn dir(&self) -> PathBuf {
        self.temp.path().join("killed")
    }
}

fn killed() -> Killed {
    let temp = tempfile::tempdir().unwrap();
    let (live, dir) = (temp.path().join("live"), temp.path().join("killed"));
    let worker = Worker::embedded(&live).unwrap();
    let gate = Gate::default();
    let worker = worker.service(gate.clone()).workflow(passes).shards(1);
    let (ids, last, mark, torn_from) = run(with_worker(worker, async |client| {
        let passes = client.new_workflow::<passes>();
        let starts = (0..ENDED + WAITING).map(|number| passes.passes(number, number >= ENDED));
        let runs = client.dispatch_many(starts).await.unwrap();
        for run in &runs[..ENDED as usize] {
            run.await.unwrap();
        }
        let ids: Vec<_> = runs.iter().map(Run::id).collect();
        let mark = fs::read(live.join("infinitic.mark")).unwrap();
        let torn_from = used(&journal(&live));
        let last = passes.passes(100, true).dispatch().await.unwrap();
        copy(&live, &dir);
        gate.0.send_replace(true);
        (ids, last.id(), mark, torn_from)
    }));
    Killed {
        temp,
        ids,
        last,
        mark,
        torn_from,
    }
}

/// Opens a directory and checks all instances; what was never confirmed may be there or not.
fn check(dir: &Path, killed: &Killed, is_last_confirmed: bool) -> Result<(), String> {
    let worker = Worker::embedded(dir).map_err(|error| error.to_string())?;
    let gate = Gate::default();
    gate.0.send_replace(true);
    let worker = worker.service(gate).workflow(passes);
    run(with_worker(worker, async |client| {
        for (number, id) in (0..).zip(&killed.ids) {
            let passed = client.attach::<u32, Error>(*id).await;
            let passed = passed.map_err(|failure| failure.to_string())?;
            assert_eq!(passed, number * 2);
        }
        match client.attach::<u32, Error>(killed.last).await {
            Ok(passed) => assert_eq!(passed, 200),
            Err(failure) if failure.kind() == FailureKind::UnknownInstance => {
                assert!(!is_last_confirmed, "a confirmed start is missing");
            }
            Err(failure) => return Err(failure.to_string()),
        }
        Ok(())
    }))
}

#[test]
fn a_torn_tail_loses_nothing_that_was_confirmed() {
    let killed = killed();
    let end = used(&journal(&killed.dir()));
    assert!(killed.torn_from < end);
    for part in 0..5 {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy(&killed.dir(), &dir);
        // The mark says that the last start was not confirmed yet: it was being written.
        fs::write(dir.join("infinitic.mark"), &killed.mark).unwrap();
        let at = killed.torn_from + (end - killed.torn_from) * part / 5;
        let file = File::options().write(true).open(journal(&dir)).unwrap();
        file.set_len(at).unwrap();
        drop(file);
        check(&dir, &killed, false).unwrap_or_else(|why| panic!("torn at {at}: {why}"));
        // And again, after it went on.
        check(&dir, &killed, false).unwrap();
    }
}

#[test]
fn a_journal_that_lost_what_was_confirmed_is_refused() {
    let killed = killed();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    copy(&killed.dir(), &dir);
    let journal = journal(&dir);
    let file = File::options().write(true).open(&journal).unwrap();
    file.set_len(killed.torn_from).unwrap();
    let error = check(&dir, &killed, true).unwrap_err();
    let parts = [
        journal.to_str().unwrap(),
        "is damaged",
        "was confirmed",
        "backup",
    ];
    assert_says(error, &parts);
}

#[test]
fn a_flipped_bit_is_told_or_harmless() {
    let killed = killed();
    check_undamaged(&killed);
    let (mut refused, mut random) = (0, 12_345_u64);
    for flip in 0..FLIPS {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        copy(&killed.dir(), &dir);
        let files = files(&dir);
        // The journal holds nearly all, so it is hit most.
        let file = match flip % 4 {
            0 => files[usize::try_from(flip).unwrap() / 4 % files.len()].clone(),
            _ => journal(&dir),
        };
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        flip_bit(&file, random % (8 * used(&file).max(1)));
        if let Err(error) = check(&dir, &killed, true) {
            assert_says(error, &[dir.to_str().unwrap(), "backup"]);
            refused += 1;
        }
    }
    assert!(refused > FLIPS / 2, "{refused} of {FLIPS} were refused");
}

fn check_undamaged(killed: &Killed) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    copy(&killed.dir(), &dir);
    check(&dir, killed, true).unwrap();
}

/// All files below a directory that hold something, sorted; locks hold nothing of value.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.metadata().unwrap().len() > 0 && !path.ends_with("infinitic.lock") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn journal(dir: &Path) -> PathBuf {
    let mut journals = files(dir);
    journals.retain(|file| file.extension().is_some_and(|end| end == "jnl"));
    assert_eq!(journals.len(), 1, "{journals:?}");
    journals.remove(0)
}

/// How much of a file is used: up to its last byte that is not zero.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}

fn flip_bit(path: &Path, bit: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.read_exact(&mut byte).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.seek(SeekFrom::Start(bit / 8)).unwrap();
    file.write_all(&byte).unwrap();
}

/// Copies a directory that is in use, as it is on the disk; journals are long and empty at their
/// end, which is left out.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &to);
            continue;
        }
        let length = path.metadata().unwrap().len();
        let bytes = fs::read(&path).unwrap();
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        fs::write(&to, &bytes[..used]).unwrap();
        File::options()
            .write(true)
            .open(&to)
            .unwrap()
            .set_len(length)
            .unwrap();
    }
}
