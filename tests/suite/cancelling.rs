//! What is no longer wanted is told so: attempts of cancelled instances, calls of dropped branches.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed, until_status};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_cancelled_instance_cancels_its_attempts,
    cancelling_twice_or_too_late_changes_nothing,
    a_dropped_branch_cancels_what_it_awaited_directly,
    a_dropped_branch_lets_dispatched_calls_live_on,
    cancel_takes_a_dispatched_call_back,
    cancel_on_drop_takes_it_back_with_the_last_clone,
    what_is_cancelled_in_the_queue_never_starts,
    a_call_that_was_never_polled_was_never_made,
    a_cancelled_step_is_told,
}

#[workflow]
async fn waits(gate: String) -> Result<String> {
    let other = lab().gated(format!("{gate} too")).dispatch();
    let waited = lab().gated(gate).await?;
    Ok(waited + &other.await?)
}

async fn a_cancelled_instance_cancels_its_attempts(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(waits);
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<waits>().waits(name("a")).dispatch();
            let run = run.await.unwrap();
            bench.until_begun("a").await;
            bench.until_begun("a too").await;
            run.cancel().await.unwrap();
            let failure = failed((&run).await);
            assert_eq!(failure.kind(), FailureKind::Cancelled);
            assert_eq!(failure.instance_id(), Some(run.id()));
            bench.log.until("a is cancelled", 1).await;
            bench.log.until("a too is cancelled", 1).await;
            let state = run.state().await.unwrap();
            assert_eq!(state.status, Status::Cancelled);
            assert_eq!(state.waits, Vec::<String>::new());
            run.id()
        })
        .await;
    env.run(host, async |client| {
        let failure = failed(client.attach::<String, Error>(id).await);
        assert_eq!(failure.kind(), FailureKind::Cancelled);
        assert_eq!(bench.log.count("a begins"), 1);
    })
    .await;
}

async fn cancelling_twice_or_too_late_changes_nothing(env: &Env) {
    let bench = TestLab::default();
    bench.open("b");
    bench.open("b too");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(waits);
    env.run(host, async |client| {
        let started = client.new_workflow::<waits>().waits(name("b")).dispatch();
        let run = started.await.unwrap();
        assert_eq!((&run).await.unwrap(), "bb too");
        run.cancel().await.unwrap();
        assert_eq!((&run).await.unwrap(), "bb too");
        assert_eq!(until_status(&run, Status::Completed).await.id, run.id());

        let started = client.new_workflow::<waits>().waits(name("c")).dispatch();
        let run = started.await.unwrap();
        client
            .get_workflow_by_id::<waits>(run.id())
            .cancel()
            .await
            .unwrap();
        run.cancel().await.unwrap();
        assert_eq!(failed((&run).await).kind(), FailureKind::Cancelled);
        assert!(run.retry_turn().await.is_err());
        let refused = failed(run.retry_tasks().await);
        assert_says(refused, &["nothing to retry"]);
    })
    .await;
}

#[workflow]
async fn races() -> Result<String> {
    let winner = select! {
        won = lab().gated(name("fast")) => won?,
        lost = lab().gated(name("slow")) => lost?,
        _ = timer(Duration::from_hours(48)) => name("nobody"),
    };
    Ok(lab().echo(winner).await?)
}

async fn a_dropped_branch_cancels_what_it_awaited_directly(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(races);
    env.run(host, async |client| {
        let run = client.new_workflow::<races>().races().dispatch();
        let run = run.await.unwrap();
        bench.until_begun("fast").await;
        bench.until_begun("slow").await;
        bench.open("fast");
        assert_eq!((&run).await.unwrap(), "fast");
        bench.log.until("slow is cancelled", 1).await;
        // Neither the cancelled call nor the dropped timer holds the instance.
        assert_eq!(run.state().await.unwrap().status, Status::Completed);
    })
    .await;
}

#[workflow]
async fn keeps_on() -> Result<Vec<String>> {
    let slow = lab().gated(name("slow")).dispatch();
    let won = select! {
        won = lab().gated(name("fast")) => won?,
        lost = &slow => lost?,
    };
    drop(lab().gated(name("forgotten")).dispatch());
    let after = lab().echo(won).await?;
    Ok(vec![after, slow.await?])
}

async fn a_dropped_branch_lets_dispatched_calls_live_on(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(keeps_on);
    env.run(host, async |client| {
        let run = client.new_workflow::<keeps_on>().keeps_on().dispatch();
        let run = run.await.unwrap();
        bench.until_begun("slow").await;
        bench.open("fast");
        bench.log.until("echo fast", 1).await;
        bench.until_begun("forgotten").await;
        bench.open("slow");
        assert_eq!((&run).await.unwrap(), ["fast", "slow"]);
        bench.open("forgotten");
        until_status(&run, Status::Completed).await;
        assert_eq!(bench.log.count("forgotten ends"), 1);
        assert_eq!(bench.log.count("slow is cancelled"), 0);
    })
    .await;
}

#[workflow]
async fn takes_back() -> Result<String> {
    let call = lab().gated(name("unwanted")).dispatch();
    lab().gated(name("wanted")).await?;
    call.cancel();
    let status = format!("{:?}", call.status());
    let failure = failed(call.await);
    assert_eq!(failure.kind(), FailureKind::Cancelled);
    Ok(status)
}

async fn cancel_takes_a_dispatched_call_back(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(takes_back);
    env.run(host, async |client| {
        let run = client.new_workflow::<takes_back>().takes_back().dispatch();
        let run = run.await.unwrap();
        bench.until_begun("unwanted").await;
        bench.open("wanted");
        assert_eq!((&run).await.unwrap(), "Cancelled");
        bench.log.until("unwanted is cancelled", 1).await;
        until_status(&run, Status::Completed).await;
    })
    .await;
}

#[workflow]
async fn drops() -> Result<()> {
    let first = lab().gated(name("guarded")).dispatch().cancel_on_drop();
    let second = first.clone();
    drop(first);
    lab().gated(name("one")).await?;
    drop(second);
    lab().gated(name("two")).await?;
    Ok(())
}

async fn cancel_on_drop_takes_it_back_with_the_last_clone(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(drops);
    env.run(host, async |client| {
        let run = client.new_workflow::<drops>().drops().dispatch();
        let run = run.await.unwrap();
        bench.until_begun("guarded").await;
        bench.until_begun("one").await;
        assert_eq!(bench.log.count("guarded is cancelled"), 0);
        bench.open("one");
        bench.log.until("guarded is cancelled", 1).await;
        bench.open("two");
        run.await.unwrap();
    })
    .await;
}

#[workflow]
async fn crowds() -> Result<String> {
    let first = lab().gated(name("first")).dispatch();
    let queued = lab().gated(name("queued")).dispatch();
    timer(Duration::from_millis(1)).await;
    queued.cancel();
    let last = lab().echo(name("last")).dispatch();
    Ok(first.await? + &last.await?)
}

async fn what_is_cancelled_in_the_queue_never_starts(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        let worker = worker.concurrency(1).service(bench.clone());
        worker.workflow(crowds)
    };
    env.run(host, async |client| {
        let run = client.new_workflow::<crowds>().crowds().dispatch();
        let run = run.await.unwrap();
        crate::env::until("the queued call is taken back", async || {
            let waits = run.state().await.unwrap().waits.join(" ");
            waits.contains("Lab.echo") && waits.matches("Lab.gated").count() == 1
        })
        .await;
        bench.open("first");
        assert_eq!(run.await.unwrap(), "firstlast");
        assert_eq!(bench.log.all(), ["first begins", "first ends", "echo last"]);
    })
    .await;
}

#[workflow]
async fn lazy() -> Result<String> {
    let never = lab().echo(name("never"));
    let either = select! {
        text = lab().echo(name("first")) => text?,
    };
    drop(never);
    Ok(either)
}

async fn a_call_that_was_never_polled_was_never_made(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(lazy);
    env.run(host, async |client| {
        assert_eq!(client.new_workflow::<lazy>().lazy().await.unwrap(), "first");
        assert_eq!(bench.log.all(), ["echo first"]);
    })
    .await;
}

#[workflow]
struct Stepper {
    bench: TestLab,
}

#[workflow]
impl Stepper {
    async fn race(&self) -> Result<String> {
        let bench = self.bench.clone();
        let slow = step("slow", move || {
            let bench = bench.clone();
            async move {
                bench.log.push("step begins");
                task::cancelled().await;
                bench.log.push("step is cancelled");
                Ok::<_, Error>(name("step"))
            }
        });
        Ok(select! {
            text = lab().gated(name("fast")) => text?,
            text = slow => text?,
        })
    }
}

async fn a_cancelled_step_is_told(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        let made = bench.clone();
        let worker = worker.service(bench.clone());
        worker.workflow(move || Stepper {
            bench: made.clone(),
        })
    };
    env.run(host, async |client| {
        let run = client.new_workflow::<StepperClient>().race().dispatch();
        let run = run.await.unwrap();
        bench.log.until("step begins", 1).await;
        bench.open("fast");
        assert_eq!(run.await.unwrap(), "fast");
        bench.log.until("step is cancelled", 1).await;
    })
    .await;
}
