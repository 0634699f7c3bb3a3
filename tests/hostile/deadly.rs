//! Tasks and turns that take the process down, as a stack overflow does.

use std::path::Path;
use std::process::{Command, Stdio};

use infinitic::prelude::*;

use crate::{assert_says, run, until_stopped};

/// Set for the child: where its data is.
const DIR: &str = "HOSTILE_DEADLY_DIR";
/// Set for the child: what kills it.
const WEAPON: &str = "HOSTILE_DEADLY_WEAPON";
/// Deaths after which the culprit must be set aside: the limit of redeliveries, and a few.
const DEATHS_MAX: usize = 12;

/// Goes deeper than any stack.
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    overflow(room[7] + 1) + room[511]
}

#[service]
async fn careful(deadly: bool) -> Result<u32> {
    if deadly {
        std::process::abort();
    }
    Ok(1)
}

#[workflow]
async fn risky(weapon: String) -> Result<u32> {
    let first = new_service::<careful>().careful(weapon == "task").await?;
    if weapon == "turn" {
        return Ok(u32::try_from(overflow(0)).unwrap_or_default());
    }
    Ok(first + 1)
}

async fn child(dir: &Path, weapon: &str) {
    let worker = Worker::embedded(dir)
        .unwrap()
        .service(careful)
        .workflow(risky);
    run(worker, async |client| {
        // The same ids in each process, so that each start is made once.
        let ids = dir.join("ids");
        if !ids.exists() {
            let drawn: Vec<String> = (0..8).map(|_| client.draw_id().to_string()).collect();
            std::fs::write(&ids, drawn.join("\n")).unwrap();
        }
        let text = std::fs::read_to_string(ids).unwrap();
        let ids = text.lines().map(|line| line.parse().unwrap());
        let starts = ids.enumerate().map(|(number, id)| {
            let weapon = if number == 3 { weapon } else { "none" };
            client
                .new_workflow::<risky>()
                .with_id(id)
                .risky(weapon.to_owned())
        });
        let runs = client.dispatch_many(starts).await.unwrap();
        for (number, run) in runs.iter().enumerate() {
            if number != 3 {
                assert_eq!(run.await.unwrap(), 2);
            }
        }
        if weapon == "task" {
            let failure = (&runs[3]).await.unwrap_err();
            assert_says(&format!("{failure:?}"), &["the process died each time"]);
        } else {
            assert_says(
                &until_stopped(&runs[3]).await,
                &["the process died", "retry_turn"],
            );
        }
    })
    .await;
}

/// No test of its own: the parents below call it in a process that may die.
#[test]
fn a_child_that_may_die() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let weapon = std::env::var(WEAPON).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(child(Path::new(&dir), &weapon));
}

/// Starts children until one ends well. Answers how many died.
fn deaths(weapon: &str) -> usize {
    let dir = tempfile::tempdir().unwrap();
    for deaths in 0..=DEATHS_MAX {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "deadly::a_child_that_may_die"])
            .env(DIR, dir.path())
            .env(WEAPON, weapon)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        if status.success() {
            return deaths;
        }
    }
    panic!("after {DEATHS_MAX} deaths the culprit is not found");
}

#[test]
fn a_task_that_kills_the_process_fails_as_crashed_and_the_others_go_on() {
    let deaths = deaths("task");
    eprintln!("given up after {deaths} deaths");
    assert!(
        deaths >= 5,
        "attempts are given out again five times: {deaths}"
    );
}

#[test]
fn a_workflow_that_overflows_its_stack_is_set_aside_and_the_others_go_on() {
    let deaths = deaths("turn");
    eprintln!("set aside after {deaths} deaths");
    assert!(deaths >= 2, "one death may be chance: {deaths}");
}
