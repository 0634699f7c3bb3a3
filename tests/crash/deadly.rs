//! Workflow code that takes the process down, again and again: it is found and set aside, and the
//! others go on.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use infinitic::prelude::*;

/// Set for the child: where its data is.
const DIR: &str = "CRASH_DEADLY_DIR";
/// Set for the child: whether the first turn is the deadly one, or the one after a timer.
const AT_START: &str = "CRASH_DEADLY_AT_START";
/// Deaths after which the culprit must be found: two before the worker becomes careful, and a few.
const DEATHS_MAX: usize = 6;

/// What a stack overflow does, without the noise.
fn die() {
    std::process::abort()
}

#[workflow]
async fn fragile(deadly: bool, at_start: bool) -> Result<u32> {
    if deadly && at_start {
        die();
    }
    timer(Duration::from_millis(50)).await;
    if deadly {
        die();
    }
    timer(Duration::from_millis(50)).await;
    Ok(7)
}

/// The child: starts what has not been started, and ends when the culprit stands still and the
/// others have ended.
async fn child(dir: &Path, at_start: bool) -> Result<()> {
    let worker = Worker::embedded(dir)?.workflow(fragile);
    let client = worker.client();
    // The same ids in each process: a client that repeats what was not acknowledged.
    let ids = dir.join("ids");
    if !ids.exists() {
        let drawn: Vec<String> = (0..9).map(|_| client.draw_id().to_string()).collect();
        std::fs::write(&ids, drawn.join("\n"))?;
    }
    let text = std::fs::read_to_string(ids)?;
    let ids: Vec<InstanceId> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let mut result = Ok(());
    let job = async {
        let start = |number: usize, id: InstanceId| {
            let proxy = client.new_workflow::<fragile>().with_id(id);
            proxy.fragile(number == 4, at_start)
        };
        let starts = ids.iter().enumerate().map(|(n, id)| start(n, *id));
        let runs = client.dispatch_many(starts).await?;
        for (number, run) in runs.iter().enumerate() {
            if number != 4 {
                assert_eq!(run.await?, 7);
            }
        }
        while runs[4].state().await?.stopped.is_none() {
            // It never ends: this is the pause between two looks.
            drop(runs[4].clone().timeout(Duration::from_millis(5)).await);
        }
        Ok(())
    };
    worker.run_until(async { result = job.await }).await?;
    result
}

/// No test of its own: the parent calls it in a process that may die.
#[test]
fn a_child_that_may_die() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let at_start = std::env::var_os(AT_START).is_some();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(child(Path::new(&dir), at_start)).unwrap();
}

/// Starts children until one ends well. Answers how many died.
fn deaths(at_start: bool) -> usize {
    let dir = tempfile::tempdir().unwrap();
    for deaths in 0..=DEATHS_MAX {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "deadly::a_child_that_may_die"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if at_start {
            command.env(AT_START, "1");
        }
        if command.status().unwrap().success() {
            return deaths;
        }
    }
    panic!("after {DEATHS_MAX} deaths the culprit is not found");
}

#[test]
fn a_turn_that_kills_the_process_is_set_aside() {
    let deaths = deaths(false);
    eprintln!("set aside after {deaths} deaths");
    assert!(deaths >= 3, "one death may be chance: {deaths}");
}

#[test]
fn a_start_that_kills_the_process_is_set_aside() {
    let deaths = deaths(true);
    eprintln!("set aside after {deaths} deaths");
    assert!(deaths >= 3, "one death may be chance: {deaths}");
}
