//! How instances end, and how failed ones are reopened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed, until_status};
use crate::lab::{Refusal, TestLab, lab, name};

on_all_backends! {
    a_failed_run_is_told_and_kept,
    retry_tasks_goes_on_to_a_normal_result,
    retry_tasks_keeps_what_ended_well,
    retry_tasks_may_fail_again,
    retry_tasks_survives_restarts,
    retry_turn_reopens_a_failed_run_with_mended_code,
    caught_failures_hold_nothing,
    the_end_waits_for_dispatched_tasks,
    there_may_be_nothing_to_retry,
}

#[workflow]
async fn passes(gate: String) -> Result<String, EntryError> {
    let before = lab().echo(name("before")).await?;
    let passed = lab().try_pass(gate).await?;
    let after = lab().echo(name("after")).await?;
    Ok(format!("{before} {passed} {after}"))
}

/// The error of a workflow that passes on the lab's.
#[derive(Debug, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize, TaskError)]
enum EntryError {
    #[error("not let in: {0}")]
    Lab(#[from] Refusal),
    #[error(transparent)]
    Call(#[from] Failure),
}

fn too_early(gate: &str) -> Option<EntryError> {
    Some(EntryError::Lab(Refusal::Early(name(gate))))
}

async fn a_failed_run_is_told_and_kept(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(passes);
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<passes>().passes(name("a")).dispatch();
            let run = run.await.unwrap();
            let (one, two) = tokio::join!(&run, &run);
            assert_eq!(failed(one).error(), too_early("a"));
            assert_eq!(failed(two).error(), too_early("a"));
            assert_eq!(run.state().await.unwrap().status, Status::Failed);
            run.id()
        })
        .await;
    env.run(host, async |client| {
        let run = client.attach::<String, EntryError>(id);
        assert_eq!(failed((&run).await).error(), too_early("a"));
        assert_eq!(run.state().await.unwrap().status, Status::Failed);
        assert_eq!(bench.log.all(), ["echo before", "try a"]);
    })
    .await;
}

async fn retry_tasks_goes_on_to_a_normal_result(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(passes);
    env.run(host, async |client| {
        let run = client.new_workflow::<passes>().passes(name("a")).dispatch();
        let run = run.await.unwrap();
        failed((&run).await);
        bench.open("a");
        run.retry_tasks().await.unwrap();
        assert_eq!((&run).await.unwrap(), "before a after");
        let all = ["echo before", "try a", "try a", "echo after"];
        assert_eq!(bench.log.all(), all);
        until_status(&run, Status::Completed).await;
        let refused = failed(run.retry_tasks().await);
        assert_says(refused, &["nothing to retry"]);
    })
    .await;
}

#[workflow]
async fn several() -> Result<Vec<String>, EntryError> {
    let lab = lab();
    let well = lab.gated(name("well")).dispatch();
    let badly = lab.try_pass(name("badly")).dispatch();
    let worse = lab.refuse(name("worse")).dispatch();
    let mut values = vec![(&well).await?];
    let _ = (&worse).await;
    values.push(badly.await?);
    values.push(
        worse
            .await
            .unwrap_or_else(|failure| failure.message().to_owned()),
    );
    Ok(values)
}

async fn retry_tasks_keeps_what_ended_well(env: &Env) {
    let bench = TestLab::default();
    bench.open("well");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(several);
    env.run(host, async |client| {
        let run = client.new_workflow::<several>().several().dispatch();
        let run = run.await.unwrap();
        assert_eq!(failed((&run).await).error(), too_early("badly"));
        bench.open("badly");
        run.retry_tasks().await.unwrap();
        assert_eq!((&run).await.unwrap(), ["well", "badly", "refused: worse"]);
        assert_eq!(bench.log.count("well begins"), 1);
        assert_eq!(bench.log.count("try badly"), 2);
        until_status(&run, Status::Completed).await;
    })
    .await;
}

async fn retry_tasks_may_fail_again(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(passes);
    env.run(host, async |client| {
        let run = client.new_workflow::<passes>().passes(name("a")).dispatch();
        let run = run.await.unwrap();
        failed((&run).await);
        for tries in 2..5 {
            run.retry_tasks().await.unwrap();
            assert_eq!(failed((&run).await).error(), too_early("a"));
            assert_eq!(bench.log.count("try a"), tries);
        }
        bench.open("a");
        run.retry_tasks().await.unwrap();
        assert_eq!((&run).await.unwrap(), "before a after");
        assert_eq!(bench.log.count("echo before"), 1);
    })
    .await;
}

async fn retry_tasks_survives_restarts(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(passes);
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<passes>().passes(name("a")).dispatch();
            let run = run.await.unwrap();
            failed((&run).await);
            run.id()
        })
        .await;
    bench.open("a");
    env.cut_off(host, async |client| {
        let passes = client.get_workflow_by_id::<passes>(id);
        passes.retry_tasks().await.unwrap();
    })
    .await;
    let again = async |client: &Client| {
        let run = client.attach::<String, EntryError>(id);
        assert_eq!((&run).await.unwrap(), "before a after");
        assert_eq!(bench.log.count("echo before"), 1);
        until_status(&run, Status::Completed).await;
    };
    env.run(host, again).await;
    env.run(host, again).await;
}

/// Code with a fault that a deployment mends.
#[workflow]
struct Mended {
    bench: TestLab,
    is_mended: Arc<AtomicBool>,
}

#[workflow]
impl Mended {
    async fn run(&self) -> Result<String> {
        let before = lab().gated(name("a")).await?;
        if !self.is_mended.load(Ordering::SeqCst) {
            self.bench.log.push("fault");
            return Err(Error::msg("a fault in the code"));
        }
        Ok(before + &lab().echo(name("mended")).await?)
    }
}

async fn retry_turn_reopens_a_failed_run_with_mended_code(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::<AtomicBool>::default());
    bench.open("a");
    let host = |worker: Worker| {
        let (bench, is_mended) = (bench.clone(), Arc::clone(&is_mended));
        let worker = worker.service(bench.clone());
        worker.workflow(move || Mended {
            bench: bench.clone(),
            is_mended: Arc::clone(&is_mended),
        })
    };
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<MendedClient>().run().dispatch();
            let run = run.await.unwrap();
            assert_eq!(failed((&run).await).message(), "a fault in the code");
            // Not mended yet: it fails again.
            run.retry_turn().await.unwrap();
            assert_eq!(failed((&run).await).message(), "a fault in the code");
            assert_says(failed(run.retry_tasks().await), &["retry_turn"]);
            run.id()
        })
        .await;
    is_mended.store(true, Ordering::SeqCst);
    env.run(host, async |client| {
        let run = client.attach::<String, Error>(id);
        run.retry_turn().await.unwrap();
        assert_eq!((&run).await.unwrap(), "amended");
        assert_eq!(bench.log.count("a begins"), 1);
        until_status(&run, Status::Completed).await;
    })
    .await;
}

#[workflow]
async fn catches() -> Result<String> {
    let caught = match lab().refuse(name("no")).await {
        Ok(text) => text,
        Err(failure) => failure.message().to_owned(),
    };
    Ok(lab().echo(caught).await?)
}

async fn caught_failures_hold_nothing(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(catches);
    env.run(host, async |client| {
        let run = client.new_workflow::<catches>().catches().dispatch();
        let run = run.await.unwrap();
        assert_eq!((&run).await.unwrap(), "refused: no");
        let state = run.state().await.unwrap();
        assert_eq!(state.status, Status::Completed);
        assert_eq!(state.waits, Vec::<String>::new());
    })
    .await;
}

#[workflow]
async fn leaves_work() -> Result<u8> {
    drop(lab().gated(name("left")).dispatch());
    drop(lab().try_pass(name("failing")).dispatch());
    Ok(1)
}

async fn the_end_waits_for_dispatched_tasks(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(leaves_work);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<leaves_work>().leaves_work();
            let run = run.dispatch().await.unwrap();
            // Its caller does not wait for what was dispatched; the instance does.
            assert_eq!((&run).await.unwrap(), 1);
            bench.until_begun("left").await;
            bench.log.until("try failing", 1).await;
            assert_eq!(run.state().await.unwrap().status, Status::Running);
            run.id()
        })
        .await;
    env.run(host, async |client| {
        let run = client.attach::<u8, Error>(id);
        bench.log.until("left begins", 2).await;
        assert_eq!((&run).await.unwrap(), 1);
        let state = run.state().await.unwrap();
        assert_eq!(state.status, Status::Running);
        assert_says(state.waits.join(" "), &["Lab.gated"]);
        bench.open("left");
        until_status(&run, Status::Completed).await;
    })
    .await;
}

async fn there_may_be_nothing_to_retry(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(passes);
    env.run(host, async |client| {
        let wait = client.new_workflow::<passes>().passes(name("a")).dispatch();
        bench.open("a");
        let run = wait.await.unwrap();
        (&run).await.unwrap();
        assert_says(failed(run.retry_turn().await), &["nothing to retry"]);
        assert_says(failed(run.retry_tasks().await), &["nothing to retry"]);
        assert_eq!((&run).await.unwrap(), "before a after");
    })
    .await;
}
