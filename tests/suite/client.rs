//! What clients do: start, wait at any time, steer.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed, until_status};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_dispatched_start_is_durable,
    waits_end_with_the_instance_for_everybody,
    results_are_there_after_the_end_and_after_restarts,
    a_limited_wait_leaves_the_instance_alone,
    many_are_started_at_once_in_order,
    ids_are_text_that_attaches_anywhere,
    what_does_not_exist_is_said_so,
    a_result_of_another_type_is_said_so,
    clients_of_a_stopped_worker_are_told,
    clients_may_ask_before_the_worker_runs,
    records_are_purged_after_the_retention_time,
    calling_running_instances_is_refused_with_a_reason,
}

#[workflow]
async fn visit(gate: String) -> Result<String> {
    let gate = lab().gated(gate).await?;
    Ok(format!("through {gate}"))
}

async fn a_dispatched_start_is_durable(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
            run.await.unwrap().id()
        })
        .await;
    env.run(host, async |client| {
        let result = client.attach::<String, Error>(id).await;
        assert_eq!(result.unwrap(), "through a");
    })
    .await;
}

async fn waits_end_with_the_instance_for_everybody(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    env.run(host, async |client| {
        let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
        let run = run.await.unwrap();
        let other = client.clone().attach::<String, Error>(run.id());
        let opens = async {
            bench.until_begun("a").await;
            bench.open("a");
        };
        let (one, two, three, ()) = tokio::join!(&run, &run, other, opens);
        for result in [one, two, three, (&run).await, run.await] {
            assert_eq!(result.unwrap(), "through a");
        }
    })
    .await;
}

async fn results_are_there_after_the_end_and_after_restarts(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
            let run = run.await.unwrap();
            until_status(&run, Status::Completed).await;
            assert_eq!((&run).await.unwrap(), "through a");
            run.id()
        })
        .await;
    for _ in 0..2 {
        // Not even the workflow must be hosted to read its result.
        env.run(std::convert::identity, async |client| {
            let run = client.attach::<String, Error>(id);
            assert_eq!((&run).await.unwrap(), "through a");
            assert_eq!(run.state().await.unwrap().status, Status::Completed);
        })
        .await;
    }
}

async fn a_limited_wait_leaves_the_instance_alone(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    env.run(host, async |client| {
        let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
        let run = run.await.unwrap();
        let limited = run.clone().timeout(Duration::from_millis(20)).await;
        let failure = failed(limited);
        assert_eq!(failure.kind(), FailureKind::TimedOut);
        assert_says(&failure, &["20ms", "goes on"]);
        bench.until_begun("a").await;
        bench.open("a");
        let limited = run.timeout(Duration::from_secs(20)).await;
        assert_eq!(limited.unwrap(), "through a");
    })
    .await;
}

#[workflow]
async fn square(number: u64) -> Result<u64> {
    Ok(lab().echo(number.to_string()).await?.parse::<u64>()?.pow(2))
}

async fn many_are_started_at_once_in_order(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(square);
    let ids = env
        .run(host, async |client| {
            let square = client.new_workflow::<square>();
            let starts = (0..200).map(|number| square.square(number));
            let runs = client.dispatch_many(starts).await.unwrap();
            assert_eq!(runs.len(), 200);
            for (number, run) in (0..).zip(&runs) {
                assert_eq!(run.await.unwrap(), number * number);
            }
            let mut ids: Vec<_> = runs.iter().map(Run::id).collect();
            ids.dedup();
            ids
        })
        .await;
    assert_eq!(ids.len(), 200);
    env.run(host, async |client| {
        for (number, id) in (0_u64..).zip(ids) {
            let squared = client.attach::<u64, Error>(id).await;
            assert_eq!(squared.unwrap(), number * number);
        }
        let nothing = Vec::<Start<u64, Error>>::new();
        assert!(client.dispatch_many(nothing).await.unwrap().is_empty());
    })
    .await;
}

async fn ids_are_text_that_attaches_anywhere(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    env.run(host, async |client| {
        let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
        let text = run.await.unwrap().id().to_string();
        let id: InstanceId = text.parse().unwrap();
        let visit = client.get_workflow_by_id::<visit>(id);
        assert_eq!(visit.state().await.unwrap().id, id);
        bench.open("a");
        let result = client.attach::<String, Error>(id).await;
        assert_eq!(result.unwrap(), "through a");
    })
    .await;
}

async fn what_does_not_exist_is_said_so(env: &Env) {
    env.run(std::convert::identity, async |client| {
        let id: InstanceId = "018bcfe5-6800-7000-8000-00000000002a".parse().unwrap();
        let run = client.attach::<String, Error>(id);
        let failure = failed((&run).await);
        assert_eq!(failure.kind(), FailureKind::UnknownInstance);
        assert_says(
            &failure,
            &["no instance 018bcfe5-6800-7000-8000-00000000002a"],
        );
        for error in [
            failed(run.cancel().await),
            failed(run.retry_tasks().await),
            failed(run.retry_turn().await),
            failed(run.state().await),
        ] {
            assert_says(error, &["there is no instance"]);
        }
        let error = failed(client.new_workflow::<visit>().state().await);
        assert_says(error, &["get_workflow_by_id"]);
    })
    .await;
}

async fn a_result_of_another_type_is_said_so(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    env.run(host, async |client| {
        let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
        let id = run.await.unwrap().id();
        let failure = failed(client.attach::<Vec<u8>, Error>(id).await);
        assert_eq!(failure.kind(), FailureKind::Undecodable);
        assert_says(&failure, &["Vec<u8>", "\"through a\""]);
    })
    .await;
}

async fn clients_of_a_stopped_worker_are_told(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        let worker = worker.grace(Duration::ZERO).service(bench.clone());
        worker.workflow(visit)
    };
    let (client, run, waiting) = env
        .run(host, async |client| {
            let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
            let run = run.await.unwrap();
            let waits = run.clone();
            let waiting = tokio::spawn(async move { waits.await });
            bench.until_begun("a").await;
            (client.clone(), run, waiting)
        })
        .await;
    assert_says(failed(waiting.await.unwrap()), &["the worker has stopped"]);
    assert_says(failed((&run).await), &["the worker has stopped"]);
    let failure = failed(client.new_workflow::<visit>().visit(name("b")).await);
    assert_says(failure, &["the worker has stopped"]);
    // What it had acknowledged goes on in the next one.
    bench.open("a");
    env.run(host, async |client| {
        let result = client.attach::<String, Error>(run.id()).await;
        assert_eq!(result.unwrap(), "through a");
    })
    .await;
}

async fn clients_may_ask_before_the_worker_runs(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let worker = env.worker().await.service(bench.clone()).workflow(visit);
    let client = worker.client();
    let started = client.new_workflow::<visit>().visit(name("a")).dispatch();
    let body = async {
        assert_eq!(started.await.unwrap().await.unwrap(), "through a");
    };
    worker.run_until(body).await.unwrap();
}

#[workflow]
async fn nap() {
    timer(Duration::from_secs(1)).await;
}

async fn records_are_purged_after_the_retention_time(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| {
        let worker = worker.retention(Duration::from_millis(1)).shards(1);
        worker.service(bench.clone()).workflow(visit).workflow(nap)
    };
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
            let run = run.await.unwrap();
            assert_eq!((&run).await.unwrap(), "through a");
            // Times of purges are whole seconds.
            client.new_workflow::<nap>().nap().await.unwrap();
            run.id()
        })
        .await;
    env.run(host, async |client| {
        // The first round purges; an answer shows that it is over.
        let absent = "018bcfe5-6800-7000-8000-00000000002a".parse().unwrap();
        failed(client.attach::<String, Error>(absent).await);
        let failure = failed(client.attach::<String, Error>(id).await);
        assert_eq!(failure.kind(), FailureKind::UnknownInstance);
        assert_says(failure, &["purged"]);
    })
    .await;
}

async fn calling_running_instances_is_refused_with_a_reason(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(visit);
    env.run(host, async |client| {
        let run = client.new_workflow::<visit>().visit(name("a")).dispatch();
        let run = run.await.unwrap();
        let visit = client.get_workflow_by_id::<visit>(run.id());
        let error = failed(visit.visit(name("b")).dispatch().await);
        assert_says(error, &["not available yet", "client.new_workflow"]);
        bench.open("a");
        assert_eq!(run.await.unwrap(), "through a");
    })
    .await;
}
