//! Data directories that cannot be used: each says what is wrong, what is accepted, what to do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use infinitic::prelude::*;

use crate::{assert_says, child, run, with_worker};

#[workflow]
async fn answer() -> Result<u32> {
    Ok(inline(|| 42))
}

/// A directory in which an instance has ended.
fn filled(dir: &Path) -> InstanceId {
    let worker = Worker::embedded(dir).unwrap().workflow(answer);
    run(with_worker(worker, async |client| {
        let run = client.new_workflow::<answer>().answer().dispatch();
        let run = run.await.unwrap();
        assert_eq!((&run).await.unwrap(), 42);
        run.id()
    }))
}

/// Nothing is lost.
fn assert_filled(dir: &Path, id: InstanceId) {
    let worker = Worker::embedded(dir).unwrap();
    run(with_worker(worker, async |client| {
        assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 42);
    }));
}

fn refusal(dir: &Path) -> String {
    match Worker::embedded(dir) {
        Ok(_) => panic!("{} was opened", dir.display()),
        Err(error) => error.to_string(),
    }
}

/// Opens the directory, and waits until the parent has seen enough.
pub(crate) fn holder(dir: &Path) {
    let worker = Worker::embedded(dir).unwrap();
    run(with_worker(worker, async |_| {
        child::say("open");
        tokio::task::spawn_blocking(child::wait_for_parent)
            .await
            .unwrap();
    }));
}

/// Says why the directory cannot be opened.
pub(crate) fn opener(dir: &Path) {
    child::say(&refusal(dir));
}

#[test]
fn a_directory_in_use_names_its_user() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let id = filled(&dir);
    let mut child = child::command("holder", &dir).spawn().unwrap();
    let mut heard = child::Heard::of(&mut child);
    assert_eq!(heard.next().as_deref(), Some("open"));
    let parts = [
        dir.to_str().unwrap(),
        "is in use by process",
        &child.id().to_string(),
        "one process at a time",
        "choose another directory",
    ];
    assert_says(refusal(&dir), &parts);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_filled(&dir, id);
    // Within one process as well.
    let first = Worker::embedded(&dir).unwrap();
    let parts = ["is in use", &std::process::id().to_string()];
    assert_says(refusal(&dir), &parts);
    drop(first);
    assert_filled(&dir, id);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let id = filled(&dir);
    let told = without_rights(&temp, &dir);
    let parts = [
        dir.to_str().unwrap(),
        "cannot be written",
        "read and write access",
        "permissions",
    ];
    assert_says(told, &parts);
    assert_filled(&dir, id);
    // Nobody may write there, not even who may do everything.
    assert_says(refusal(Path::new("/sys/kernel")), &["cannot be written"]);
}

/// What is said to somebody who may look at the directory, but not write.
fn without_rights(temp: &tempfile::TempDir, dir: &Path) -> String {
    let read_only = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let is_root = fs::metadata(temp.path()).unwrap().uid() == 0;
    let mut command = child::command("opener", dir);
    if is_root {
        // Rights do not bind root: somebody else has to try.
        read_only(temp.path(), 0o755);
        command.uid(65_534);
    }
    read_only(dir, 0o555);
    let spawned = command.stderr(Stdio::null()).spawn();
    let told = match spawned {
        Ok(mut child) => {
            let told = child::Heard::of(&mut child).next();
            child.wait().unwrap();
            told
        }
        Err(_) => None,
    };
    read_only(dir, 0o755);
    told.expect("nobody else may run this test's program: run it from a readable directory")
}

#[test]
fn a_file_in_the_way_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "mine").unwrap();
    let parts = [file.to_str().unwrap(), "is not a directory", "another path"];
    assert_says(refusal(&file), &parts);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_says(refusal(&file.join("data")), &["is not a directory"]);
}

#[test]
fn a_directory_of_a_newer_version_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let id = filled(&dir);
    let mark = dir.join("infinitic.mark");
    let before = fs::read(&mark).unwrap();
    let mut bytes = before.clone();
    // Where the mark's format stands is the same in all formats, as is its checksum.
    for slot in [0, 4096] {
        bytes[slot + 8] = 9;
        let sum = xxhash_rust::xxh3::xxh3_64(&bytes[slot..slot + 56]);
        bytes[slot + 56..slot + 64].copy_from_slice(&sum.to_le_bytes());
    }
    fs::write(&mark, &bytes).unwrap();
    let parts = [
        dir.to_str().unwrap(),
        "has format 9",
        "formats up to 1",
        "the version that wrote it",
    ];
    assert_says(refusal(&dir), &parts);
    assert!(fs::read(&mark).unwrap() == bytes, "nothing was changed");
    fs::write(&mark, before).unwrap();
    assert_filled(&dir, id);
}
