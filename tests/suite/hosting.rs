//! What a worker hosts, what it does not, and how it stops.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed, until, until_status};
use crate::lab::{Lab, LabStub, TestLab, lab, name};
use crate::logs;

on_all_backends! {
    a_workflow_that_nobody_hosts_waits_and_is_told_once,
    a_service_that_nobody_hosts_waits_and_is_told_once,
    a_task_that_its_service_lacks_waits,
    unhosted_services_hold_nobody_else,
    hosting_twice_is_an_error,
    draining_lets_attempts_end,
    draining_leaves_the_rest_for_the_next_start,
    a_worker_that_hosts_nothing_runs,
}

#[workflow]
async fn knocks(gate: String) -> Result<String> {
    Ok(lab().gated(gate).await?)
}

#[workflow]
async fn knocks_unheard(gate: String) -> Result<String> {
    Ok(lab().gated(gate).await?)
}

async fn a_workflow_that_nobody_hosts_waits_and_is_told_once(env: &Env) {
    let log = logs::read().await;
    let bench = TestLab::default();
    bench.open("a");
    // However many threads come across it.
    let runs = env
        .run(
            |worker| worker.shards(4),
            async |client| {
                let mut runs = Vec::new();
                for _ in 0..12 {
                    let knocks = client.new_workflow::<knocks_unheard>();
                    let run = knocks.knocks_unheard(name("a")).dispatch().await;
                    let run = run.unwrap();
                    let state = until_status(&run, Status::Stopped).await;
                    let text = state.stopped.unwrap().message;
                    assert_says(text, &["no worker here hosts", "`knocks_unheard`"]);
                    runs.push(run.id());
                }
                runs
            },
        )
        .await;
    let told = log.lines_with("instances of workflow `knocks_unheard` wait");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_says(&told[0], &["WARN", ".workflow(…)"]);
    drop(log);
    let host = |worker: Worker| worker.service(bench.clone()).workflow(knocks_unheard);
    env.run(host, async |client| {
        for id in runs {
            assert_eq!(client.attach::<String, Error>(id).await.unwrap(), "a");
        }
    })
    .await;
}

#[service]
trait Absent {
    async fn call(&self, number: u32) -> u32;
}

struct Present;

#[service]
impl Absent for Present {
    async fn call(&self, number: u32) -> u32 {
        number * 2
    }
}

#[workflow]
async fn calls_absent(number: u32) -> Result<u32> {
    Ok(new_service::<AbsentStub>().call(number).await?)
}

async fn a_service_that_nobody_hosts_waits_and_is_told_once(env: &Env) {
    let log = logs::read().await;
    let without = |worker: Worker| worker.workflow(calls_absent);
    let ids = env
        .run(without, async |client| {
            let calls = client.new_workflow::<calls_absent>();
            let starts = (0..3).map(|number| calls.calls_absent(number));
            let runs = client.dispatch_many(starts).await.unwrap();
            until("the log tells it", async || {
                !log.lines_with("service `Absent` is not hosted").is_empty()
            })
            .await;
            let state = runs[2].state().await.unwrap();
            assert_eq!(state.status, Status::Running);
            assert_eq!(state.waits, ["task Absent.call, attempt 0"]);
            runs.iter().map(Run::id).collect::<Vec<_>>()
        })
        .await;
    let told = log.lines_with("service `Absent` is not hosted");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_says(&told[0], &["WARN", "its tasks wait", ".service(…)"]);
    drop(log);
    let host = |worker: Worker| worker.service(Present).workflow(calls_absent);
    env.run(host, async |client| {
        for (number, id) in (0..).zip(ids) {
            let doubled = client.attach::<u32, Error>(id).await;
            assert_eq!(doubled.unwrap(), number * 2);
        }
    })
    .await;
}

#[service(name = "half")]
trait Whole {
    async fn one(&self) -> u32;
    async fn two(&self) -> u32;
}

struct Half;

#[service(name = "half")]
impl Half {
    async fn one(&self) -> u32 {
        1
    }
}

struct Complete;

#[service]
impl Whole for Complete {
    async fn one(&self) -> u32 {
        10
    }

    async fn two(&self) -> u32 {
        20
    }
}

#[workflow]
async fn adds() -> Result<u32> {
    let half = new_service::<WholeStub>();
    Ok(half.one().await? + half.two().await?)
}

async fn a_task_that_its_service_lacks_waits(env: &Env) {
    let half = |worker: Worker| worker.service(Half).workflow(adds);
    let id = env
        .run(half, async |client| {
            let run = client.new_workflow::<adds>().adds().dispatch();
            let run = run.await.unwrap();
            until("the second call is made", async || {
                run.state().await.unwrap().waits == ["task half.two, attempt 0"]
            })
            .await;
            run.id()
        })
        .await;
    let complete = |worker: Worker| worker.service(Complete).workflow(adds);
    env.run(complete, async |client| {
        assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 21);
    })
    .await;
}

async fn unhosted_services_hold_nobody_else(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let host = |worker: Worker| {
        let worker = worker.concurrency(1).service(bench.clone());
        worker.workflow(calls_absent).workflow(knocks)
    };
    env.run(host, async |client| {
        let calls = client.new_workflow::<calls_absent>();
        let starts = (0..100).map(|number| calls.calls_absent(number));
        let waiting = client.dispatch_many(starts).await.unwrap();
        assert_eq!(
            client
                .new_workflow::<knocks>()
                .knocks(name("a"))
                .await
                .unwrap(),
            "a"
        );
        let cancels = waiting.iter().map(Run::cancel);
        futures::future::try_join_all(cancels).await.unwrap();
    })
    .await;
}

async fn hosting_twice_is_an_error(env: &Env) {
    let twice = env.worker().await.service(Present).service(Present);
    let error = failed(twice.run_until(std::future::pending()).await);
    assert_says(error, &["`Absent.call` is hosted twice"]);
    let twice = env.worker().await.workflow(knocks).workflow(knocks);
    let error = failed(twice.run_until(std::future::pending()).await);
    assert_says(error, &["`knocks` version 0 is hosted twice"]);
}

/// A lab whose tasks do not listen.
#[derive(Clone, Default)]
struct DeafLab(TestLab);

#[service]
impl Lab for DeafLab {
    async fn echo(&self, text: String) -> String {
        text
    }

    async fn gated(&self, gate: String) -> String {
        self.0
            .log
            .push(format!("{gate} begins {}", task::attempt()));
        self.0.until_open(&gate).await;
        self.0.log.push(format!("{gate} ends"));
        gate
    }

    async fn refuse(&self, why: String) -> Result<String, crate::lab::Refusal> {
        self.0.refuse(why).await
    }

    async fn try_pass(&self, gate: String) -> Result<String, crate::lab::Refusal> {
        self.0.try_pass(gate).await
    }
}

async fn draining_lets_attempts_end(env: &Env) {
    let deaf = DeafLab::default();
    let worker = env.worker().await.service_for::<LabStub, _>(deaf.clone());
    let worker = worker.workflow(knocks);
    let client = worker.client();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let running = worker.run_until(async { stopped.await.unwrap() });
    let body = async {
        let run = client.new_workflow::<knocks>().knocks(name("a")).dispatch();
        let run = run.await.unwrap();
        deaf.0.log.until("a begins 0", 1).await;
        stop.send(()).unwrap();
        // The worker stops now, and waits for what runs.
        tokio::task::yield_now().await;
        deaf.0.open("a");
        run.id()
    };
    let (ended, id) = tokio::join!(running, body);
    ended.unwrap();
    assert_eq!(deaf.0.log.count("a ends"), 1);
    // Its end was recorded: nothing is left to do but to tell it.
    env.run(std::convert::identity, async |client| {
        let run = client.attach::<String, Error>(id);
        assert_eq!((&run).await.unwrap(), "a");
    })
    .await;
}

async fn draining_leaves_the_rest_for_the_next_start(env: &Env) {
    let deaf = DeafLab::default();
    let host = |worker: Worker| {
        let worker = worker.grace(Duration::from_millis(20)).concurrency(1);
        worker
            .service_for::<LabStub, _>(deaf.clone())
            .workflow(knocks)
    };
    let ids = env
        .run(host, async |client| {
            let knocks = client.new_workflow::<knocks>();
            let runs = client
                .dispatch_many(["a", "b"].map(|gate| knocks.knocks(name(gate))))
                .await
                .unwrap();
            until("one runs, one waits", async || deaf.0.log.all().len() == 1).await;
            runs.iter().map(Run::id).collect::<Vec<_>>()
        })
        .await;
    deaf.0.open("a");
    deaf.0.open("b");
    env.run(host, async |client| {
        for (gate, id) in ["a", "b"].iter().zip(ids) {
            assert_eq!(client.attach::<String, Error>(id).await.unwrap(), *gate);
        }
        // Given out again as the attempt that it was; what never began, once.
        assert_eq!(deaf.0.log.all().len(), 1 + 2 * 2);
        let begun = deaf.0.log.count("a begins 0") + deaf.0.log.count("b begins 0");
        assert_eq!(begun, 3);
    })
    .await;
}

async fn a_worker_that_hosts_nothing_runs(env: &Env) {
    env.run(std::convert::identity, async |_| ()).await;
    env.run(std::convert::identity, async |_| ()).await;
}
