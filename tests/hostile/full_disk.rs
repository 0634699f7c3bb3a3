//! A disk that is full while a worker runs: a small file system in memory, mounted by a child in a
//! namespace of its own, which takes it away again however the child ends.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use infinitic::prelude::*;

use crate::{child, logs, run, with_worker};

const DISK: u64 = 48 << 20;
/// What is left of it for a while.
const ROOM: u64 = 1 << 20;
/// Each workflow writes as much, several times over.
const TEXT: usize = 100 << 10;
const COUNT: usize = 30;

#[service]
async fn turn_around(text: String) -> String {
    text.chars().rev().collect()
}

#[workflow]
async fn twice_around(text: String) -> Result<String> {
    let turner = new_service::<turn_around>();
    let text = turner.turn_around(text).await?;
    Ok(turner.turn_around(text).await?)
}

#[test]
fn a_full_disk_stops_nothing_for_good() {
    let temp = tempfile::tempdir().unwrap();
    let mount = format!(
        "mount -t tmpfs -o size={DISK} none '{}'",
        temp.path().display()
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["-rm", "sh", "-c", &mount]);
    if !unshare
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("SKIPPED: this machine lets nobody mount a file system; no disk was full");
        return;
    }
    let child = child::command("full disk", temp.path());
    let mut unshare = Command::new("unshare");
    unshare
        .args(["-rm", "sh", "-c"])
        .arg(format!("{mount} && exec \"$0\" \"$@\""))
        .arg(child.get_program())
        .args(child.get_args());
    for (name, value) in child.get_envs() {
        unshare.env(name, value.unwrap());
    }
    let output = unshare.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("child: it went on"), "{text}");
}

/// Fills the disk, makes room again, and sees that nothing was lost.
pub(crate) fn full_disk(disk: &Path) {
    let dir = disk.join("data");
    let hosts = || {
        let worker = Worker::embedded(&dir).unwrap();
        worker.service(turn_around).workflow(twice_around)
    };
    run(async {
        let log = logs::read().await;
        let ids = with_worker(hosts(), async |client| {
            let around = client.new_workflow::<twice_around>();
            assert_eq!(around.twice_around("ab".to_owned()).await.unwrap(), "ab");
            let ballast = disk.join("ballast");
            fill(disk, &ballast);
            let runs = async {
                let starts = (0..COUNT).map(|number| around.twice_around(text(number)));
                let runs = client.dispatch_many(starts).await.unwrap();
                for (number, run) in runs.iter().enumerate() {
                    assert!(run.await.unwrap() == text(number), "{number}");
                }
                runs.iter().map(Run::id).collect::<Vec<_>>()
            };
            let makes_room = async {
                until_logged(&log, "the store does not take writes").await;
                fs::remove_file(&ballast).unwrap();
            };
            let (ids, ()) = tokio::join!(runs, makes_room);
            until_logged(&log, "the store takes writes again").await;
            ids
        })
        .await;
        with_worker(hosts(), async |client| {
            for (number, id) in ids.into_iter().enumerate() {
                let same = client.attach::<String, Error>(id).await.unwrap();
                assert!(same == text(number), "{number}");
            }
        })
        .await;
        child::say("it went on");
    });
}

fn text(number: usize) -> String {
    format!("{number:0>5}").repeat(TEXT / 5)
}

/// Takes all of the disk but [`ROOM`].
fn fill(disk: &Path, ballast: &Path) {
    let used: u64 = sizes(disk);
    let mut file = File::create(ballast).unwrap();
    for _ in 0..(DISK - ROOM - used) / 4096 {
        if file.write_all(&[1; 4096]).is_err() {
            break;
        }
    }
}

/// Bytes of the disk that are in use.
fn sizes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let size = |entry: fs::DirEntry| {
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            sizes(&entry.path())
        } else {
            meta.blocks() * 512
        }
    };
    entries.map(size).sum()
}

async fn until_logged(log: &logs::Reading, text: &str) {
    let since = Instant::now();
    while log.lines_with(text).is_empty() {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "never logged: {text}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
