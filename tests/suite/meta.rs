//! What an attempt leaves to the next one of its task.

use std::collections::BTreeMap;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::env::{Env, Log, failed};
use crate::lab::name;

on_all_backends! {
    each_attempt_finds_what_the_one_before_left,
    what_is_removed_is_gone,
    attempts_that_panic_or_take_too_long_leave_it_too,
    what_was_left_survives_a_crash,
    a_retry_by_hand_begins_anew,
    steps_have_it_as_well,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, TaskError)]
enum Fault {
    #[error("not yet")]
    NotYet,
}

/// Writes down what each attempt finds, as `who key=value …`.
#[derive(Clone, Debug, Default)]
struct Copier {
    log: Log,
}

impl Copier {
    fn note(&self, who: &str) -> BTreeMap<String, String> {
        let meta = task::meta();
        let pairs: Vec<String> = meta.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        self.log.push(format!("{who}{}", pairs.concat()));
        meta
    }
}

#[service]
impl Copier {
    /// Comes one page further with each attempt.
    #[retry(max_attempts = 9, initial = "1ms", jitter = 0.0)]
    async fn copy(&self, who: String, pages: u32) -> Result<u32, Fault> {
        let meta = self.note(&who);
        let page = meta.get("page").map_or(0, |page| page.parse().unwrap());
        task::set_meta("page", (page + 1).to_string());
        assert_eq!(task::meta()["page"], (page + 1).to_string());
        if page == pages {
            Ok(page)
        } else {
            Err(Fault::NotYet)
        }
    }

    #[retry(max_attempts = 9, initial = "1ms", jitter = 0.0)]
    async fn forget(&self) -> Result<Option<String>, Fault> {
        self.note("forget");
        let had = task::remove_meta("caller");
        assert_eq!(task::remove_meta("caller"), None);
        if had.is_none() {
            Ok(had)
        } else {
            Err(Fault::NotYet)
        }
    }

    #[retry(max_attempts = 9, initial = "1ms", jitter = 0.0)]
    #[timeout("100ms", grace = "10ms")]
    async fn struggle(&self) -> u32 {
        self.note("struggle");
        task::set_meta(format!("attempt-{}", task::attempt()), "over");
        match task::attempt() {
            0 => panic!("at first"),
            1 => task::cancelled().await,
            _ => {}
        }
        task::attempt()
    }

    #[retry(max_attempts = 2, initial = "1s", jitter = 0.0)]
    async fn wait(&self) -> Result<u32, Fault> {
        let meta = self.note("wait");
        task::set_meta("seen", "yes");
        if meta.contains_key("seen") {
            Ok(task::attempt())
        } else {
            Err(Fault::NotYet)
        }
    }

    #[retry(max_attempts = 2, initial = "1ms", jitter = 0.0)]
    async fn fail(&self) -> Result<u32, Fault> {
        self.note("fail");
        task::set_meta("sequence", task::retry_sequence().to_string());
        if task::retry_sequence() == 1 {
            Ok(1)
        } else {
            Err(Fault::NotYet)
        }
    }
}

fn copier() -> CopierStub {
    new_service::<CopierStub>().with_meta("caller", "me")
}

/// What the attempts of one task found, in order.
fn notes(copier: &Copier, who: &str) -> Vec<String> {
    let lines = copier.log.all();
    lines
        .into_iter()
        .filter(|line| line.starts_with(who))
        .collect()
}

#[workflow]
async fn both() -> Result<(u32, u32)> {
    let (a, b) = join!(copier().copy(name("a"), 3), copier().copy(name("b"), 1));
    Ok((a?, b?))
}

async fn each_attempt_finds_what_the_one_before_left(env: &Env) {
    let bench = Copier::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(both);
    env.run(host, async |client| {
        let ended = client.new_workflow::<both>().both().await;
        assert_eq!(ended.unwrap(), (3, 1));
    })
    .await;
    let a = [
        "a caller=me",
        "a caller=me page=1",
        "a caller=me page=2",
        "a caller=me page=3",
    ];
    assert_eq!(notes(&bench, "a"), a);
    assert_eq!(notes(&bench, "b"), ["b caller=me", "b caller=me page=1"]);
}

#[workflow]
async fn forgets() -> Result<Option<String>> {
    Ok(copier().forget().await?)
}

async fn what_is_removed_is_gone(env: &Env) {
    let bench = Copier::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(forgets);
    env.run(host, async |client| {
        assert_eq!(
            client.new_workflow::<forgets>().forgets().await.unwrap(),
            None
        );
    })
    .await;
    assert_eq!(notes(&bench, "forget"), ["forget caller=me", "forget"]);
}

#[workflow]
async fn struggles() -> Result<u32> {
    Ok(copier().struggle().await?)
}

async fn attempts_that_panic_or_take_too_long_leave_it_too(env: &Env) {
    let bench = Copier::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(struggles);
    env.run(host, async |client| {
        assert_eq!(
            client
                .new_workflow::<struggles>()
                .struggles()
                .await
                .unwrap(),
            2
        );
    })
    .await;
    let found = notes(&bench, "struggle");
    assert_eq!(found[2], "struggle attempt-0=over attempt-1=over caller=me");
}

#[workflow]
async fn waits() -> Result<u32> {
    Ok(copier().wait().await?)
}

async fn what_was_left_survives_a_crash(env: &Env) {
    let bench = Copier::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(waits);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<waits>().waits().dispatch();
            let run = run.await.unwrap();
            crate::env::until("the next attempt is planned", async || {
                let waits = run.state().await.unwrap().waits;
                waits.iter().any(|wait| wait.contains("attempt 1"))
            })
            .await;
            run.id()
        })
        .await;
    env.run(host, async |client| {
        assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 1);
    })
    .await;
    assert_eq!(
        notes(&bench, "wait"),
        ["wait caller=me", "wait caller=me seen=yes"]
    );
}

#[workflow]
async fn fails() -> Result<u32> {
    Ok(copier().fail().await?)
}

async fn a_retry_by_hand_begins_anew(env: &Env) {
    let bench = Copier::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(fails);
    env.run(host, async |client| {
        let run = client.new_workflow::<fails>().fails().dispatch();
        let run = run.await.unwrap();
        failed((&run).await);
        run.retry_tasks().await.unwrap();
        assert_eq!((&run).await.unwrap(), 1);
    })
    .await;
    let found = [
        "fail caller=me",
        "fail caller=me sequence=0",
        "fail caller=me",
    ];
    assert_eq!(notes(&bench, "fail"), found);
}

#[workflow]
async fn steps() -> Result<u32> {
    let count = step("count", || async {
        let count = task::meta()
            .get("count")
            .map_or(0, |count| count.parse().unwrap());
        task::set_meta("count", (count + 1).to_string());
        if count < 2 {
            Err(Fault::NotYet)
        } else {
            Ok(count)
        }
    });
    let retry = ExponentialRetry {
        initial_ms: 1,
        ..ExponentialRetry::DEFAULT
    };
    Ok(count.retry_with(retry).await?)
}

async fn steps_have_it_as_well(env: &Env) {
    let host = |worker: Worker| worker.workflow(steps);
    env.run(host, async |client| {
        assert_eq!(client.new_workflow::<steps>().steps().await.unwrap(), 2);
        // Nothing is left of it for others.
        assert_eq!(client.new_workflow::<steps>().steps().await.unwrap(), 2);
    })
    .await;
}
