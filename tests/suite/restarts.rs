//! Workers that come and go: everything goes on where it was.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, until};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_long_story_over_many_restarts,
    many_instances_go_on_where_they_were,
    what_ended_is_not_run_again,
    a_task_keeps_its_id_over_restarts,
    small_memories_forget_nothing,
}

const CHAPTERS: u32 = 6;

#[workflow]
#[derive(Default)]
struct Story {
    chapters: Property<Vec<String>>,
}

#[workflow]
impl Story {
    async fn tell(&self) -> Result<(Vec<String>, u64)> {
        let token = random();
        for chapter in 0..CHAPTERS {
            let gate = format!("chapter {chapter}");
            let aside = lab().echo(format!("aside {chapter}")).dispatch();
            let told = select! {
                told = lab().gated(gate) => told?,
                _ = timer(Duration::from_hours(1)) => name("nothing"),
            };
            let note = step("note", move || {
                let told = told.clone();
                async move { Ok::<_, Error>(told) }
            });
            let note = note.await?;
            self.chapters.update(|chapters| chapters.push(note));
            aside.await?;
        }
        assert_eq!(token % 2, inline(|| token % 2));
        Ok((self.chapters.get(), token))
    }
}

async fn a_long_story_over_many_restarts(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(Story::default);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<StoryClient>().tell().dispatch();
            run.await.unwrap().id()
        })
        .await;
    for chapter in 0..CHAPTERS {
        let gate = format!("chapter {chapter}");
        let body = async |_: &Client| {
            bench.until_begun(&gate).await;
            bench.open(&gate);
        };
        // Cut off or drained, and with a fresh memory each time.
        if chapter % 2 == 0 {
            env.cut_off(host, body).await;
        } else {
            env.run(host, body).await;
        }
    }
    env.run(host, async |client| {
        let told = client.attach::<(Vec<String>, u64), Error>(id).await;
        let (chapters, _) = told.unwrap();
        let expected: Vec<_> = (0..CHAPTERS).map(|c| format!("chapter {c}")).collect();
        assert_eq!(chapters, expected);
    })
    .await;
}

#[workflow]
async fn hops(number: u32) -> Result<u32> {
    let mut sum = 0;
    for hop in 0..3 {
        let text = lab().echo(format!("{}", number + hop)).await?;
        sum += text.parse::<u32>()?;
        lab().gated(format!("hop {hop}")).await?;
    }
    Ok(sum)
}

async fn many_instances_go_on_where_they_were(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        worker
            .concurrency(500)
            .service(bench.clone())
            .workflow(hops)
    };
    let ids = env
        .cut_off(host, async |client| {
            let hops = client.new_workflow::<hops>();
            let starts = (0..120).map(|number| hops.hops(number));
            let runs = client.dispatch_many(starts).await.unwrap();
            bench.log.until("hop 0 begins", 60).await;
            runs.iter().map(Run::id).collect::<Vec<_>>()
        })
        .await;
    for hop in 0..2 {
        bench.open(&format!("hop {hop}"));
        env.cut_off(host, async |_| {
            bench
                .log
                .until(&format!("hop {} begins", hop + 1), 60)
                .await;
        })
        .await;
    }
    bench.open("hop 2");
    env.run(host, async |client| {
        for (number, id) in (0..).zip(ids) {
            let sum = client.attach::<u32, Error>(id).await;
            assert_eq!(sum.unwrap(), 3 * number + 3);
        }
    })
    .await;
}

async fn what_ended_is_not_run_again(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(hops);
    for hop in 0..3 {
        bench.open(&format!("hop {hop}"));
    }
    env.run(host, async |client| {
        assert_eq!(client.new_workflow::<hops>().hops(0).await.unwrap(), 3);
    })
    .await;
    let before = bench.log.all();
    for _ in 0..3 {
        env.run(host, async |client| {
            // Its round trip shows that recovery is over.
            client.attach::<u32, Error>(absent()).await.unwrap_err();
        })
        .await;
    }
    assert_eq!(bench.log.all(), before);
}

fn absent() -> InstanceId {
    "018bcfe5-6800-7000-8000-00000000002a".parse().unwrap()
}

#[derive(Clone, Default)]
struct Scribe(TestLab);

#[service]
impl Scribe {
    async fn sign(&self) -> String {
        let signature = format!(
            "{} {} {}",
            task::id(),
            task::attempt(),
            task::retry_sequence()
        );
        self.0.log.push(&signature);
        self.0.until_open("ink").await;
        signature
    }
}

#[workflow]
async fn signs() -> Result<String> {
    lab().echo(name("before")).await?;
    Ok(new_service::<ScribeStub>().sign().await?)
}

async fn a_task_keeps_its_id_over_restarts(env: &Env) {
    let scribe = Scribe::default();
    let host = |worker: Worker| {
        let worker = worker.service(scribe.clone());
        worker.service(TestLab::default()).workflow(signs)
    };
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<signs>().signs().dispatch();
            let run = run.await.unwrap();
            until("it signs", async || scribe.0.log.all().len() == 1).await;
            run.id()
        })
        .await;
    for starts in 2..4 {
        env.cut_off(host, async |_| {
            until("it signs again", async || {
                scribe.0.log.all().len() == starts
            })
            .await;
        })
        .await;
    }
    scribe.0.open("ink");
    env.run(host, async |client| {
        let signature = client.attach::<String, Error>(id).await.unwrap();
        let all = scribe.0.log.all();
        assert!(all.iter().all(|signed| *signed == signature), "{all:#?}");
    })
    .await;
}

async fn small_memories_forget_nothing(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        let worker = worker.memory(2, 4).concurrency(500);
        worker.service(bench.clone()).workflow(hops)
    };
    env.run(host, async |client| {
        let hops = client.new_workflow::<hops>();
        let starts = (0..40).map(|number| hops.hops(number));
        let runs = client.dispatch_many(starts).await.unwrap();
        for hop in 0..3 {
            bench.log.until(&format!("hop {hop} begins"), 40).await;
            bench.open(&format!("hop {hop}"));
        }
        for (number, run) in (0..).zip(runs) {
            assert_eq!(run.await.unwrap(), 3 * number + 3);
        }
    })
    .await;
}
