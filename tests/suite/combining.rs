//! Waiting for several things: the same winner on every replay.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use infinitic::prelude::*;

use crate::env::{Env, Log, failed, until};
use crate::lab::{Refusal, TestLab, lab, name};

on_all_backends! {
    select_takes_the_first_that_ends,
    select_prefers_the_order_written,
    select_replays_to_the_same_winner_after_restarts,
    select_in_a_loop_over_the_same_futures,
    select_with_patterns_and_else,
    join_waits_for_all_of_different_types,
    all_gives_values_in_order_or_the_first_failure,
    any_gives_the_first_that_ends_well,
    any_fails_with_the_last_failure,
    async_blocks_run_side_by_side,
    futures_unordered_gives_them_as_they_end,
    blocks_and_timers_race_with_calls,
    combinators_of_the_futures_crate_work,
}

/// Starts a workflow that waits for gates, opens them in the given order, and gives the result.
macro_rules! opened_in_order {
    ($env:expr, $flow:ident, $gates:expr, $opened:expr) => {{
        let bench = TestLab::default();
        let host = |worker: Worker| worker.service(bench.clone()).workflow($flow);
        let result = $env.run(host, async |client| {
            let run = client.new_workflow::<$flow>().$flow().dispatch();
            let run = run.await.unwrap();
            for gate in $gates {
                bench.until_begun(gate).await;
            }
            for (number, gate) in (1..).zip($opened) {
                bench.open(gate);
                until_waits(&run, $gates.len() - number).await;
            }
            run.await
        });
        (result.await, bench)
    }};
}

/// Waits until an instance waits for no more gates than that: the outcomes of the others are
/// recorded.
async fn until_waits<T, E>(run: &Run<T, E>, gates: usize) {
    until("the outcome is recorded", async || {
        let waits = run.state().await.unwrap().waits;
        waits
            .iter()
            .filter(|wait| wait.contains("Lab.gated"))
            .count()
            <= gates
    })
    .await;
}

#[workflow]
async fn first() -> Result<String> {
    let won = select! {
        a = lab().gated(name("a")) => format!("a {}", a?),
        b = lab().gated(name("b")) => format!("b {}", b?),
    };
    Ok(lab().echo(won).await?)
}

async fn select_takes_the_first_that_ends(env: &Env) {
    let (result, _) = opened_in_order!(env, first, ["a", "b"], ["b"]);
    assert_eq!(result.unwrap(), "b b");
}

#[workflow]
async fn both_ready() -> Result<Vec<u8>> {
    let (a, b) = (
        lab().gated(name("a")).dispatch(),
        lab().gated(name("b")).dispatch(),
    );
    (&b).await?;
    (&a).await?;
    let mut won = Vec::new();
    for _ in 0..3 {
        won.push(select! {
            _ = &b => 1,
            _ = &a => 2,
        });
        won.push(select! {
            _ = &a => 3,
            _ = async {} => 4,
        });
    }
    Ok(won)
}

async fn select_prefers_the_order_written(env: &Env) {
    let (result, _) = opened_in_order!(env, both_ready, ["a", "b"], ["a", "b"]);
    assert_eq!(result.unwrap(), [1, 3, 1, 3, 1, 3]);
}

#[workflow]
async fn then_another() -> Result<String> {
    let (a, b) = (
        lab().gated(name("a")).dispatch(),
        lab().gated(name("b")).dispatch(),
    );
    let won = select! {
        a = &a => a?,
        b = &b => b?,
    };
    let middle = lab().gated(name("middle")).await?;
    let both = join!(a, b);
    Ok(format!("{won} {middle} {}{}", both.0?, both.1?))
}

async fn select_replays_to_the_same_winner_after_restarts(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(then_another);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<then_another>().then_another();
            let run = run.dispatch().await.unwrap();
            bench.until_begun("a").await;
            bench.until_begun("b").await;
            bench.open("b");
            bench.until_begun("middle").await;
            // It ends when the winner is long known.
            bench.open("a");
            until("the loser's end is recorded", async || {
                run.state().await.unwrap().waits.len() == 1
            })
            .await;
            run.id()
        })
        .await;
    bench.open("middle");
    env.run(host, async |client| {
        let result = client.attach::<String, Error>(id).await;
        assert_eq!(result.unwrap(), "b middle ab");
    })
    .await;
}

#[workflow]
async fn looping() -> Result<String> {
    let mut order = String::new();
    let (mut a, mut b, mut c) = (
        lab().gated(name("a")),
        lab().gated(name("b")),
        Box::pin(async { Ok::<_, Error>(lab().gated(name("c")).await?) }),
    );
    let (mut a_left, mut b_left, mut c_left) = (true, true, true);
    while a_left || b_left || c_left {
        // An arm whose future is done is not waited for again.
        let done = if a_left && b_left && c_left {
            select! { x = &mut a => x?, x = &mut b => x?, x = &mut c => x? }
        } else if a_left && b_left {
            select! { x = &mut a => x?, x = &mut b => x? }
        } else {
            select! { x = &mut a => x? }
        };
        match done.as_str() {
            "a" => a_left = false,
            "b" => b_left = false,
            _ => c_left = false,
        }
        order.push_str(&done);
    }
    Ok(order)
}

async fn select_in_a_loop_over_the_same_futures(env: &Env) {
    let (result, _) = opened_in_order!(env, looping, ["a", "b", "c"], ["c", "b", "a"]);
    assert_eq!(result.unwrap(), "cba");
}

#[workflow]
async fn patterns() -> Result<String> {
    let refused = lab().refuse(name("a")).dispatch();
    let told = lab().gated(name("b")).dispatch();
    let one = select! {
        Ok(text) = &refused => format!("refused {text}"),
        Ok(text) = &told => format!("told {text}"),
        else => name("neither"),
    };
    let two = select! {
        Ok(text) = &refused => text,
        Err(_) = &told => name("not told"),
        else => name("neither"),
    };
    Ok(format!("{one}, {two}"))
}

async fn select_with_patterns_and_else(env: &Env) {
    let (result, _) = opened_in_order!(env, patterns, ["b"], ["b"]);
    assert_eq!(result.unwrap(), "told b, neither");
}

#[workflow]
async fn joins() -> Result<(String, usize, u64)> {
    let length = async { lab().gated(name("b")).await.map(|text| text.len()) };
    let (a, b, (), c) = join!(
        lab().gated(name("a")),
        length,
        timer(Duration::from_millis(1)),
        async { now().since(now()).as_secs() },
    );
    Ok((a?, b?, c))
}

async fn join_waits_for_all_of_different_types(env: &Env) {
    let (result, _) = opened_in_order!(env, joins, ["a", "b"], ["b", "a"]);
    assert_eq!(result.unwrap(), (name("a"), 1, 0));
}

#[workflow]
async fn alls() -> Result<(Vec<String>, String)> {
    let lab = lab();
    let values = all(["a", "b", "c"].map(|gate| lab.gated(name(gate)))).await?;
    let nothing = all(Vec::<Call<String, Never>>::new()).await?;
    assert!(nothing.is_empty());
    let passes = ["open", "shut", "barred"].map(|gate| lab.try_pass(name(gate)).dispatch());
    let failure = failed(all(&passes).await);
    Ok((values, failure.message().to_owned()))
}

async fn all_gives_values_in_order_or_the_first_failure(env: &Env) {
    let (result, bench) = opened_in_order!(env, alls, ["a", "b", "c"], ["c", "a", "b"]);
    let (values, failure) = result.unwrap();
    assert_eq!(values, ["a", "b", "c"]);
    assert!(failure.ends_with("is not there yet"), "{failure}");
    assert!(bench.log.count("a is cancelled") == 0);
}

#[workflow]
async fn anys() -> Result<(usize, String)> {
    let lab = lab();
    let first = lab.refuse(name("never")).dispatch();
    failed((&first).await);
    let calls = ["a", "b", "c"].map(|gate| {
        let call = lab.gated(name(gate));
        async move { call.await.map_err(Failure::erase) }
    });
    let (index, text) = any(calls).await?;
    Ok((index, lab.echo(text).await?))
}

async fn any_gives_the_first_that_ends_well(env: &Env) {
    let (result, bench) = opened_in_order!(env, anys, ["a", "b", "c"], ["b"]);
    assert_eq!(result.unwrap(), (1, name("b")));
    bench.log.until("a is cancelled", 1).await;
    bench.log.until("c is cancelled", 1).await;
}

#[workflow]
async fn hopeless() -> Result<Refusal> {
    let lab = lab();
    let late = async {
        lab.gated(name("a")).await?;
        Ok::<String, Error>(lab.refuse(name("late")).await?)
    };
    let soon = async { Ok::<String, Error>(lab.refuse(name("soon")).await?) };
    let calls: [std::pin::Pin<Box<dyn Future<Output = Result<String>> + Send>>; 2] =
        [Box::pin(late), Box::pin(soon)];
    let error = failed(any(calls).await);
    let failure = error.downcast_ref::<Failure<Refusal>>();
    Ok(failure.and_then(Failure::error).unwrap())
}

async fn any_fails_with_the_last_failure(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(hopeless);
    let result = env.run(host, async |client| {
        let run = client.new_workflow::<hopeless>().hopeless().dispatch();
        let run = run.await.unwrap();
        until("the first failure is recorded", async || {
            let waits = run.state().await.unwrap().waits;
            waits.len() == 1 && waits[0].contains("Lab.gated")
        })
        .await;
        bench.open("a");
        run.await
    });
    assert_eq!(result.await.unwrap(), Refusal::Asked(name("late")));
}

#[workflow]
async fn side_by_side() -> Result<Vec<String>> {
    let lab = lab();
    let chain = |gates: [&'static str; 2]| {
        let lab = lab.clone();
        async move {
            let first = lab.gated(name(gates[0])).await?;
            let second = lab.gated(name(gates[1])).await?;
            Ok::<_, Error>(first + &second)
        }
    };
    let (left, right) = join!(chain(["a", "c"]), chain(["b", "d"]));
    Ok(vec![left?, right?])
}

async fn async_blocks_run_side_by_side(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(side_by_side);
    env.run(host, async |client| {
        let run = client.new_workflow::<side_by_side>().side_by_side();
        let run = run.dispatch().await.unwrap();
        bench.until_begun("a").await;
        bench.until_begun("b").await;
        bench.open("b");
        bench.until_begun("d").await;
        bench.open("d");
        bench.open("a");
        bench.until_begun("c").await;
        bench.open("c");
        assert_eq!(run.await.unwrap(), ["ac", "bd"]);
    })
    .await;
}

#[workflow]
struct Unordered {
    log: Log,
}

#[workflow]
impl Unordered {
    async fn run(&self) -> Result<Vec<String>> {
        let lab = lab();
        let mut calls: FuturesUnordered<_> = ["a", "b", "c", "d"]
            .map(|gate| lab.gated(name(gate)))
            .into_iter()
            .collect();
        let mut order = Vec::new();
        while let Some(text) = calls.next().await {
            order.push(text?);
            if order.len() == 2 {
                calls.push(lab.gated(name("e")));
            }
            self.log.push(order.join(""));
        }
        Ok(order)
    }
}

async fn futures_unordered_gives_them_as_they_end(env: &Env) {
    let (bench, log) = (TestLab::default(), Log::default());
    let host = |worker: Worker| {
        let log = log.clone();
        let worker = worker.service(bench.clone());
        worker.workflow(move || Unordered { log: log.clone() })
    };
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<UnorderedClient>().run().dispatch();
            let run = run.await.unwrap();
            for gate in ["a", "b", "c", "d"] {
                bench.until_begun(gate).await;
            }
            for (gate, so_far) in [("c", "c"), ("a", "ca"), ("d", "cad")] {
                bench.open(gate);
                log.until(so_far, 1).await;
            }
            bench.until_begun("e").await;
            // The log is ahead of the history; an answer is not.
            until("the end of d is recorded", async || {
                run.state().await.unwrap().waits.len() == 2
            })
            .await;
            run.id()
        })
        .await;
    env.run(host, async |client| {
        bench.open("e");
        log.until("cade", 1).await;
        bench.open("b");
        let order = client.attach::<Vec<String>, Error>(id).await.unwrap();
        assert_eq!(order, ["c", "a", "d", "e", "b"]);
    })
    .await;
}

#[workflow]
async fn races_blocks() -> Result<Vec<String>> {
    let lab = lab();
    let mut won = Vec::new();
    // A block that makes several calls loses; what it awaited is cancelled.
    won.push(select! {
        text = async {
            let first = lab.gated(name("a")).await?;
            Ok::<_, Error>(first + &lab.gated(name("b")).await?)
        } => text?,
        _ = async {
            lab.gated(name("c")).await?;
            timer(Duration::from_millis(1)).await;
            Ok::<_, Error>(())
        } => name("time"),
    });
    // A timer wins against a call that takes for ever.
    won.push(select! {
        text = lab.gated(name("never")) => text?,
        _ = timer(Duration::from_millis(5)) => name("timer"),
    });
    Ok(won)
}

async fn blocks_and_timers_race_with_calls(env: &Env) {
    let (result, bench) = opened_in_order!(env, races_blocks, ["a", "c"], ["c"]);
    assert_eq!(result.unwrap(), ["time", "timer"]);
    assert_eq!(bench.log.count("a is cancelled"), 1);
    assert_eq!(bench.log.count("b begins"), 0);
}

#[workflow]
async fn with_futures() -> Result<Vec<String>> {
    let lab = lab();
    let pair = futures::future::try_join(lab.gated(name("a")), lab.gated(name("b"))).await?;
    let chosen = futures::future::select(lab.gated(name("c")), lab.gated(name("d"))).await;
    let chosen = match chosen {
        futures::future::Either::Left((text, _)) => text?,
        futures::future::Either::Right((text, _)) => text?,
    };
    let rest = futures::stream::iter(["e", "f", "g"].map(name))
        .map(|text| lab.echo(text))
        .buffered(2)
        .collect::<Vec<_>>()
        .await;
    let rest: std::result::Result<Vec<_>, _> = rest.into_iter().collect();
    Ok([vec![pair.0, pair.1, chosen], rest?].concat())
}

async fn combinators_of_the_futures_crate_work(env: &Env) {
    let bench = TestLab::default();
    for gate in ["b", "a", "d"] {
        bench.open(gate);
    }
    let host = |worker: Worker| worker.service(bench.clone()).workflow(with_futures);
    env.run(host, async |client| {
        let texts = client.new_workflow::<with_futures>().with_futures().await;
        assert_eq!(texts.unwrap(), ["a", "b", "d", "e", "f", "g"]);
    })
    .await;
}
