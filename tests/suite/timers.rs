//! Durable timers.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, Log, until_status};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    timers_ring_no_earlier_than_asked,
    what_is_past_ends_at_once,
    timers_of_a_turn_count_from_its_instant,
    timers_survive_restarts,
    timers_that_were_due_meanwhile_ring_at_the_start,
    there_is_no_longest_timer,
    open_timers_do_not_hold_the_end,
}

#[workflow]
async fn naps() -> Result<Vec<u64>> {
    let mut took = Vec::new();
    for millis in [1, 30] {
        let since = now();
        timer(Duration::from_millis(millis)).await;
        took.push(u64::try_from(now().since(since).as_millis())?);
        let since = now();
        timer_at(since + Duration::from_millis(millis)).await;
        took.push(u64::try_from(now().since(since).as_millis())?);
    }
    Ok(took)
}

async fn timers_ring_no_earlier_than_asked(env: &Env) {
    env.run(
        |worker| worker.workflow(naps),
        async |client| {
            let took = client.new_workflow::<naps>().naps().await.unwrap();
            let asked = [1, 1, 30, 30];
            assert!(took.iter().zip(asked).all(|(took, asked)| *took >= asked));
            assert!(took.iter().all(|took| *took < 10_000), "{took:?}");
        },
    )
    .await;
}

#[workflow]
async fn past() -> Result<u64> {
    let since = now();
    timer(Duration::ZERO).await;
    timer_at(Timestamp::from_millis(5)).await;
    timer_at(since).await;
    Ok(u64::try_from(now().since(since).as_millis())?)
}

async fn what_is_past_ends_at_once(env: &Env) {
    env.run(
        |worker| worker.workflow(past),
        async |client| {
            let took = client.new_workflow::<past>().past().await.unwrap();
            assert!(took < 5_000, "{took} ms");
        },
    )
    .await;
}

#[workflow]
async fn in_order() -> Result<Vec<u32>> {
    let log = std::sync::Mutex::new(Vec::new());
    let nap = |number: u32, millis| {
        let log = &log;
        async move {
            timer(Duration::from_millis(millis)).await;
            log.lock().unwrap().push(number);
        }
    };
    join!(nap(1, 30), nap(2, 10), nap(3, 20), nap(4, 0));
    Ok(log.into_inner().unwrap())
}

async fn timers_of_a_turn_count_from_its_instant(env: &Env) {
    env.run(
        |worker| worker.workflow(in_order),
        async |client| {
            let order = client.new_workflow::<in_order>().in_order().await;
            assert_eq!(order.unwrap(), [4, 2, 3, 1]);
        },
    )
    .await;
}

#[workflow]
struct Sleeper {
    log: Log,
}

#[workflow]
impl Sleeper {
    async fn sleep(&self, millis: u64) -> Result<u64> {
        let since = now();
        self.log.push("asleep");
        timer(Duration::from_millis(millis)).await;
        Ok(u64::try_from(now().since(since).as_millis())?)
    }
}

fn sleeper(log: &Log) -> impl FnOnce(Worker) -> Worker + use<> {
    let log = log.clone();
    move |worker| worker.workflow(move || Sleeper { log: log.clone() })
}

async fn timers_survive_restarts(env: &Env) {
    let log = Log::default();
    let start = async |client: &Client| {
        let run = client.new_workflow::<SleeperClient>().sleep(250).dispatch();
        run.await.unwrap().id()
    };
    let id = env.cut_off(sleeper(&log), start).await;
    env.run(sleeper(&log), async |client| {
        let took = client.attach::<u64, Error>(id).await.unwrap();
        assert!((250..10_000).contains(&took), "{took} ms");
    })
    .await;
}

async fn timers_that_were_due_meanwhile_ring_at_the_start(env: &Env) {
    let log = Log::default();
    let id = env
        .run(sleeper(&log), async |client| {
            let run = client.new_workflow::<SleeperClient>().sleep(40).dispatch();
            run.await.unwrap().id()
        })
        .await;
    // No worker is there when it is due.
    tokio::time::sleep(Duration::from_millis(60)).await;
    env.run(sleeper(&log), async |client| {
        let took = client.attach::<u64, Error>(id).await.unwrap();
        assert!(took >= 40, "{took} ms");
    })
    .await;
}

#[workflow]
async fn for_ever() -> Result<String> {
    let won = select! {
        _ = timer(Duration::MAX) => name("the end of time"),
        _ = timer_at(Timestamp::NEVER) => name("never"),
        _ = timer(Duration::from_hours(24 * 365 * 1000)) => name("a thousand years"),
        text = lab().gated(name("a")) => text?,
    };
    Ok(won)
}

async fn there_is_no_longest_timer(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(for_ever);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<for_ever>().for_ever().dispatch();
            let run = run.await.unwrap();
            assert_eq!(run.state().await.unwrap().waits.len(), 4);
            run.id()
        })
        .await;
    bench.open("a");
    env.run(host, async |client| {
        let won = client.attach::<String, Error>(id).await.unwrap();
        assert_eq!(won, "a");
    })
    .await;
}

#[workflow]
async fn leaves_early() -> Result<u8> {
    let mut nap = Box::pin(timer(Duration::from_hours(1)));
    let polled = select! {
        _ = &mut nap => 1,
        _ = timer(Duration::from_millis(1)) => 2,
    };
    std::mem::forget(nap);
    Ok(polled)
}

async fn open_timers_do_not_hold_the_end(env: &Env) {
    env.run(
        |worker| worker.workflow(leaves_early),
        async |client| {
            let run = client.new_workflow::<leaves_early>().leaves_early();
            let run = run.dispatch().await.unwrap();
            assert_eq!((&run).await.unwrap(), 2);
            let state = until_status(&run, Status::Completed).await;
            assert_eq!(state.waits, Vec::<String>::new());
        },
    )
    .await;
}
