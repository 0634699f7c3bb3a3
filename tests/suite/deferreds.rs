//! Dispatched calls: awaited once, many times or never; their ids and how they stand.

use infinitic::prelude::*;

use crate::env::{Env, failed, until_status};
use crate::lab::{Refusal, TestLab, lab, name};

on_all_backends! {
    awaited_many_times_it_gives_the_same,
    a_failed_one_fails_the_same_each_time,
    never_awaited_it_never_fails,
    calls_run_at_the_same_time,
    its_id_is_the_tasks,
    its_status_is_that_of_this_point_of_the_code,
    clones_stand_for_the_same_call,
}

#[workflow]
async fn again_and_again() -> Result<Vec<String>> {
    let call = lab().gated(name("a")).dispatch();
    let mut values = vec![(&call).await?];
    values.push((&call).await?);
    lab().echo(name("between")).await?;
    let clone = call.clone();
    values.push(clone.await?);
    values.push(call.await?);
    Ok(values)
}

async fn awaited_many_times_it_gives_the_same(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(again_and_again);
    env.run(host, async |client| {
        let values = client.new_workflow::<again_and_again>().again_and_again();
        assert_eq!(values.await.unwrap(), ["a"; 4]);
        assert_eq!(bench.log.count("a begins"), 1);
    })
    .await;
}

#[workflow]
async fn fails_again() -> Result<(Refusal, bool)> {
    let call = lab().refuse(name("no")).dispatch();
    let first = failed((&call).await);
    let second = failed(call.await);
    let same = first.record() == second.record();
    Ok((second.error().unwrap(), same))
}

async fn a_failed_one_fails_the_same_each_time(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(fails_again);
    env.run(host, async |client| {
        let failed = client.new_workflow::<fails_again>().fails_again().await;
        assert_eq!(failed.unwrap(), (Refusal::Asked(name("no")), true));
    })
    .await;
}

#[workflow]
async fn forgets() -> Result<String> {
    let _forgotten = lab().refuse(name("forgotten")).dispatch();
    drop(lab().refuse(name("dropped")).dispatch());
    Ok(lab().gated(name("a")).await?)
}

async fn never_awaited_it_never_fails(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(forgets);
    env.run(host, async |client| {
        let run = client.new_workflow::<forgets>().forgets().dispatch();
        let run = run.await.unwrap();
        bench.log.until("refuse forgotten", 1).await;
        bench.log.until("refuse dropped", 1).await;
        bench.open("a");
        assert_eq!((&run).await.unwrap(), "a");
        until_status(&run, Status::Completed).await;
    })
    .await;
}

#[workflow]
async fn at_once() -> Result<String> {
    let lab = lab();
    let (a, b) = (
        lab.gated(name("a")).dispatch(),
        lab.gated(name("b")).dispatch(),
    );
    let c = lab.gated(name("c")).await?;
    Ok(a.await? + &b.await? + &c)
}

async fn calls_run_at_the_same_time(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(at_once);
    env.run(host, async |client| {
        let run = client.new_workflow::<at_once>().at_once().dispatch();
        let run = run.await.unwrap();
        for gate in ["a", "b", "c"] {
            bench.until_begun(gate).await;
        }
        for gate in ["c", "b", "a"] {
            bench.open(gate);
        }
        assert_eq!(run.await.unwrap(), "abc");
    })
    .await;
}

#[service]
async fn own_id() -> String {
    task::id().to_string()
}

#[workflow]
async fn compares_ids() -> Result<(String, String)> {
    let call = new_service::<own_id>().own_id().dispatch();
    let id = call.id().unwrap().to_string();
    lab().echo(name("meanwhile")).await?;
    assert_eq!(call.id().unwrap().to_string(), id);
    Ok((id, call.await?))
}

async fn its_id_is_the_tasks(env: &Env) {
    let host = |worker: Worker| {
        let worker = worker.service(TestLab::default()).service(own_id);
        worker.workflow(compares_ids)
    };
    env.run(host, async |client| {
        let ids = client.new_workflow::<compares_ids>().compares_ids().await;
        let (deferred, task) = ids.unwrap();
        assert_eq!(deferred, task);
    })
    .await;
}

#[workflow]
async fn looks() -> Result<Vec<String>> {
    let well = lab().echo(name("well")).dispatch();
    let badly = lab().refuse(name("badly")).dispatch();
    let open = lab().gated(name("open")).dispatch();
    let mut seen = Vec::new();
    let mut look = || {
        seen.push(format!(
            "{:?}",
            (well.status(), badly.status(), open.status())
        ))
    };
    look();
    (&well).await?;
    failed((&badly).await);
    look();
    open.cancel();
    look();
    lab().echo(name("end")).await?;
    look();
    Ok(seen)
}

async fn its_status_is_that_of_this_point_of_the_code(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(looks);
    env.run(host, async |client| {
        let seen = client.new_workflow::<looks>().looks().await.unwrap();
        let expected = [
            "(Ongoing, Ongoing, Ongoing)",
            "(Completed, Failed, Ongoing)",
            "(Completed, Failed, Cancelled)",
            "(Completed, Failed, Cancelled)",
        ];
        assert_eq!(seen, expected);
    })
    .await;
}

#[workflow]
async fn shares() -> Result<Vec<String>> {
    let call = lab().gated(name("a")).dispatch();
    let waits = |call: Deferred<String, Never>| async move {
        let text = call.await?;
        Ok::<_, Error>(lab().echo(text).await?)
    };
    let (left, right) = join!(waits(call.clone()), waits(call.clone()));
    Ok(vec![left?, right?, call.await?])
}

async fn clones_stand_for_the_same_call(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(shares);
    env.run(host, async |client| {
        let run = client.new_workflow::<shares>().shares().dispatch();
        let run = run.await.unwrap();
        bench.until_begun("a").await;
        bench.open("a");
        assert_eq!(run.await.unwrap(), ["a"; 3]);
        assert_eq!(bench.log.count("a begins"), 1);
        assert_eq!(bench.log.count("echo a"), 2);
    })
    .await;
}
