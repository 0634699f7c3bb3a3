//! Code that takes the whole process down: the culprit is found over some restarts and set aside,
//! the others end as they should.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use infinitic::prelude::*;

use crate::{assert_says, child, run, until_status, with_worker};

/// Instances beside the culprit.
const INNOCENT: usize = 8;
/// The signal of a process that aborts, and that of one whose stack is at its end.
const DEADLY_SIGNALS: [i32; 2] = [6, 11];

/// Lets children play until one survives; gives the number of those that died, and what it said.
fn deaths(role: &str, dir: &Path, max: usize) -> (usize, Vec<String>) {
    for deaths in 0..=max {
        let mut child = child::command(role, dir).spawn().unwrap();
        let mut heard = child::Heard::of(&mut child);
        let said: Vec<String> = std::iter::from_fn(|| heard.next()).collect();
        let status = child.wait().unwrap();
        if status.success() {
            return (deaths, said);
        }
        let signal = status.signal();
        assert!(
            signal.is_some_and(|signal| DEADLY_SIGNALS.contains(&signal)),
            "it fails instead of dying: {status}, {said:?}"
        );
    }
    panic!("`{role}` still dies after {max} restarts");
}

/// The ids of all instances, the culprit's first: the same for each child.
fn ids(dir: &Path, client: &Client) -> Vec<InstanceId> {
    let file = dir.join("ids");
    if !file.exists() {
        let drawn = (0..=INNOCENT).map(|_| client.draw_id().to_string());
        let text = drawn.collect::<Vec<_>>().join("\n");
        std::fs::write(&file, text).unwrap();
    }
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Needs more stack than there is.
#[allow(unconditional_recursion)] // That is the point.
fn dig(depth: u64) -> u64 {
    let wide = std::hint::black_box([depth; 64]);
    dig(depth + 1) + wide[7]
}

#[service]
async fn permits() -> Result<()> {
    Ok(())
}

#[workflow]
#[derive(Default)]
struct Digger {
    is_mended: bool,
}

#[workflow]
impl Digger {
    async fn dig(&self, deep: bool, by_task: bool) -> Result<u64> {
        if by_task {
            new_service::<permits>().permits().await?;
        } else {
            timer(Duration::from_millis(10)).await;
        }
        let depth = if deep && !self.is_mended { dig(0) } else { 1 };
        timer(Duration::from_millis(30)).await;
        Ok(depth)
    }
}

/// Starts what has not been started; ends when the culprit stands still and the others have ended.
/// The deadly turn is made due by a timer, or by the outcome of a task.
pub(crate) fn digger(dir: &Path, by_task: bool) {
    let worker = Worker::embedded(dir.join("data")).unwrap();
    let worker = worker.service(permits).workflow(Digger::default);
    run(with_worker(worker, async |client| {
        let starts = ids(dir, client).into_iter().enumerate().map(|(n, id)| {
            let digger = client.new_workflow::<DiggerClient>().with_id(id);
            digger.dig(n == 0, by_task)
        });
        let mut runs = client.dispatch_many(starts).await.unwrap();
        let culprit = runs.remove(0);
        for run in runs {
            assert_eq!(run.await.unwrap(), 1);
        }
        let state = until_status(&culprit, Status::Stopped).await;
        child::say(&state.stopped.unwrap().message);
    }));
}

#[test]
fn a_workflow_that_overflows_its_stack_is_set_aside() {
    set_aside("digger");
}

#[test]
fn a_workflow_that_overflows_its_stack_by_an_outcome_is_set_aside() {
    set_aside("late digger");
}

fn set_aside(role: &str) {
    let temp = tempfile::tempdir().unwrap();
    let (deaths, said) = deaths(role, temp.path(), 6);
    assert!(deaths >= 2, "it died {deaths} times");
    assert_says(&said[0], &["the process died", "retry_turn"]);
    let worker = Worker::embedded(temp.path().join("data")).unwrap();
    let worker = worker.service(permits);
    let mended = worker.workflow(|| Digger { is_mended: true });
    run(with_worker(mended, async |client| {
        let culprit = ids(temp.path(), client)[0];
        let run = client.attach::<u64, Error>(culprit);
        // What killed its process so often does not go on by itself.
        until_status(&run, Status::Stopped).await;
        run.retry_turn().await.unwrap();
        assert_eq!(run.await.unwrap(), 1);
    }));
}

struct Killer<'a> {
    dir: &'a Path,
}

#[service]
impl Killer<'static> {
    async fn work(&self, kills: bool) -> u8 {
        let file = self.dir.join("attempts");
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        let line = format!("{} {kills} {}\n", task::id(), task::attempt());
        file.write_all(line.as_bytes()).unwrap();
        if kills {
            std::process::abort();
        }
        7
    }
}

#[workflow]
async fn works(kills: bool) -> Result<String> {
    timer(Duration::from_millis(10)).await;
    let work = new_service::<KillerStub>().work(kills).await;
    timer(Duration::from_millis(30)).await;
    Ok(match work {
        Ok(number) => number.to_string(),
        Err(failure) => format!("{:?}: {}", failure.kind(), failure.message()),
    })
}

/// Starts what has not been started, and ends when all have ended.
pub(crate) fn killer(dir: &Path) {
    let worker = Worker::embedded(dir.join("data")).unwrap();
    let killer = Killer {
        dir: Box::leak(dir.to_owned().into_boxed_path()),
    };
    let worker = worker.service(killer).workflow(works);
    run(with_worker(worker, async |client| {
        let starts = ids(dir, client).into_iter().enumerate().map(|(n, id)| {
            let works = client.new_workflow::<works>().with_id(id);
            works.works(n == 0)
        });
        let runs = client.dispatch_many(starts).await.unwrap();
        for run in runs {
            child::say(&run.await.unwrap());
        }
    }));
}

#[test]
fn a_task_that_kills_the_process_each_time_fails_in_the_end() {
    let temp = tempfile::tempdir().unwrap();
    let (deaths, said) = deaths("killer", temp.path(), 12);
    assert!(deaths >= 5, "it died {deaths} times");
    assert_says(
        &said[0],
        &["Crashed", "the process died each time", "5 redeliveries"],
    );
    assert_eq!(said[1..], ["7"; INNOCENT]);
    let attempts = std::fs::read_to_string(temp.path().join("attempts")).unwrap();
    let deadly: Vec<&str> = attempts.lines().filter(|l| l.contains("true")).collect();
    assert_eq!(deadly.len(), deaths, "{attempts}");
    assert!(deadly.iter().all(|line| *line == deadly[0]), "{attempts}");
}
