//! Data directories that cannot be used, and disks that fill up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use infinitic::prelude::*;

use crate::{assert_says, run};

/// Set for the child: a small file system.
const DISK: &str = "HOSTILE_DISK";
const DISK_BYTES: usize = 24 << 20;

#[workflow]
async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn refusal(dir: &Path) -> String {
    Worker::embedded(dir).unwrap_err().to_string()
}

#[tokio::test]
async fn a_directory_in_use_names_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let first = Worker::embedded(dir.path()).unwrap().workflow(shout);
    run(first, async |client| {
        assert_says(
            &refusal(dir.path()),
            &["in use", &std::process::id().to_string()],
        );
        let answer = client
            .new_workflow::<shout>()
            .shout("still here".to_owned())
            .await;
        assert_eq!(answer.unwrap(), "STILL HERE");
    })
    .await;
    Worker::embedded(dir.path()).unwrap();
}

#[test]
fn a_file_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_says(&refusal(&file), &["file", "director"]);
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

/// Fills a file system to its last byte.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    for size in [1 << 20, 4096, 1] {
        let block = vec![1; size];
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&ballast)
            .unwrap();
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }
    ballast
}

/// No test of its own: runs on the small disk of the test below.
#[tokio::test]
async fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    let worker = Worker::embedded(disk.join("data")).unwrap().workflow(shout);
    run(worker, async |client| {
        let shout = client.new_workflow::<shout>();
        assert_eq!(shout.shout("before".to_owned()).await.unwrap(), "BEFORE");
        let ballast = fill(&disk);
        let starts = (0..50).map(|number| shout.shout(format!("{number} {}", "x".repeat(100_000))));
        let runs = client.dispatch_many(starts);
        // Nothing is acknowledged that is not on disk.
        let mut runs = Box::pin(runs);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(500), &mut runs).await;
        assert!(waited.is_err(), "starts were acknowledged on a full disk");
        fs::remove_file(ballast).unwrap();
        for (number, run) in runs.await.unwrap().into_iter().enumerate() {
            assert!(run.await.unwrap().starts_with(&format!("{number} X")));
        }
    })
    .await;
}

#[test]
fn a_disk_that_is_full_holds_work_up_until_there_is_room() {
    let temp = tempfile::tempdir().unwrap();
    for flags in ["-m", "-rm"] {
        let mount = format!(
            "mount -t tmpfs -o size={DISK_BYTES} none '{}'",
            temp.path().display()
        );
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            command
                .args([flags, "sh", "-c", script])
                .env(DISK, temp.path());
            command
        };
        if !unshare(&mount)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            continue;
        }
        let script = format!("{mount} && exec \"$0\" directory::on_a_small_disk --exact");
        let status = unshare(&script)
            .arg(std::env::current_exe().unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "it does not go on when there is room");
        return;
    }
    eprintln!("WARNING: skipped, this machine lets nobody mount a file system");
}
