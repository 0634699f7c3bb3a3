//! Fleets whose workers do not all host the same: on a cluster, with one worker and with several.

use infinitic::prelude::*;

use super::env::{Env, until};

on_a_cluster! {
    an_owner_that_does_not_host_a_version_sends_its_turns_away,
    a_worker_with_services_only_runs_what_others_own,
    who_leaves_in_order_hands_over_what_it_owned,
    what_a_dead_worker_owned_goes_on_elsewhere,
    ends_that_are_too_large_for_the_broker_are_told_in_short,
}

#[service]
async fn twice(number: u32) -> Result<u32> {
    Ok(number * 2)
}

#[workflow(name = "Rolling")]
trait Rolling {
    async fn go(&self, number: u32) -> Result<String>;
}

#[workflow(version = 1)]
#[derive(Default)]
struct RollingV1;

#[workflow]
impl Rolling for RollingV1 {
    async fn go(&self, number: u32) -> Result<String> {
        let doubled = new_service::<twice>().twice(number).await?;
        let stepped = step("add", move || async move { Ok::<_, Error>(doubled + 1) }).await?;
        timer(std::time::Duration::from_millis(5)).await;
        let doubled = new_service::<twice>().twice(stepped).await?;
        Ok(format!("one {doubled}"))
    }
}

#[workflow(version = 2)]
#[derive(Default)]
struct RollingV2;

#[workflow]
impl Rolling for RollingV2 {
    async fn go(&self, number: u32) -> Result<String> {
        let doubled = new_service::<twice>().twice(number).await?;
        Ok(format!("two {doubled}"))
    }
}

async fn an_owner_that_does_not_host_a_version_sends_its_turns_away(env: &Env) {
    let old = env
        .worker()
        .await
        .service(twice)
        .workflow(RollingV1::default);
    let new = env.worker().await.workflow(RollingV2::default);
    let client = old.client();
    let body = async {
        let go = |version, number| {
            let rolling = client.new_workflow::<RollingClient>().with_version(version);
            rolling.go(number).dispatch()
        };
        // Spread over all partitions, so that each worker owns some of each version.
        for number in 0..24 {
            let first = go(1, number).await.unwrap();
            let second = go(2, number).await.unwrap();
            assert_eq!(
                first.await.unwrap(),
                format!("one {}", (number * 2 + 1) * 2)
            );
            assert_eq!(second.await.unwrap(), format!("two {}", number * 2));
        }
    };
    env.run_all(vec![old, new], body).await;
}

async fn a_worker_with_services_only_runs_what_others_own(env: &Env) {
    let owner = env.worker().await.workflow(RollingV2::default);
    let server = env.worker_without_store().await.service(twice);
    let client = owner.client();
    let body = async {
        let starts = (0..20).map(|number| client.new_workflow::<RollingClient>().go(number));
        let runs = client.dispatch_many(starts).await.unwrap();
        for (number, run) in (0..).zip(runs) {
            assert_eq!(run.await.unwrap(), format!("two {}", number * 2));
        }
    };
    env.run_all(vec![owner, server], body).await;
}

#[workflow]
async fn naps(millis: u64) -> Result<u64> {
    timer(std::time::Duration::from_millis(millis)).await;
    let doubled = new_service::<twice>().twice(1).await?;
    Ok(millis + u64::from(doubled))
}

async fn who_leaves_in_order_hands_over_what_it_owned(env: &Env) {
    let host = |worker: Worker| worker.service(twice).workflow(naps);
    let (first, second) = (host(env.worker().await), host(env.worker().await));
    let client = second.client();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let leaves = first.run_until(async { drop(stopped.await) });
    let body = async {
        let starts = (0..20).map(|_| client.new_workflow::<naps>().naps(700));
        let runs = client.dispatch_many(starts).await.unwrap();
        stop.send(()).unwrap();
        for run in runs {
            assert_eq!(run.await.unwrap(), 702);
        }
    };
    let (left, ()) = tokio::join!(leaves, env.run_all(vec![second], body));
    left.unwrap();
}

async fn what_a_dead_worker_owned_goes_on_elsewhere(env: &Env) {
    let host = |worker: Worker| worker.service(twice).workflow(naps);
    let (first, second) = (host(env.worker().await), host(env.worker().await));
    let client = second.client();
    let dies = tokio::spawn(first.run_until(std::future::pending()));
    let body = async {
        // Long enough to be seen waiting, on real servers too.
        let starts = (0..20).map(|_| client.new_workflow::<naps>().naps(3_000));
        let runs = client.dispatch_many(starts).await.unwrap();
        until("some wait", async || {
            runs[19].state().await.unwrap().waits.len() == 1
        })
        .await;
        dies.abort();
        for run in runs {
            assert_eq!(run.await.unwrap(), 3_002);
        }
    };
    env.run_all(vec![second], body).await;
}

/// Larger than any broker takes unless told otherwise.
const LARGE: usize = 6 << 20;

#[service]
#[retry(none)]
async fn swells(fails: bool) -> Result<String> {
    let large = "x".repeat(LARGE);
    if fails {
        return Err(Error::msg(format!("no more room: {large}")));
    }
    Ok(large)
}

#[workflow]
async fn collects() -> Result<Vec<String>> {
    let value = new_service::<swells>().swells(false).await;
    let failure = new_service::<swells>().swells(true).await;
    let told = |ended: std::result::Result<String, Failure<Error>>| match ended {
        Ok(value) => format!("{} bytes", value.len()),
        Err(failure) => failure.message().to_owned(),
    };
    Ok(vec![told(value), told(failure)])
}

async fn ends_that_are_too_large_for_the_broker_are_told_in_short(env: &Env) {
    let owner = env.worker().await.workflow(collects);
    let server = env.worker_without_store().await.service(swells);
    let client = owner.client();
    let body = async {
        let told = client.new_workflow::<collects>().collects().await.unwrap();
        assert!(
            told[0].contains("bytes") && !told[0].starts_with("6291456"),
            "{}",
            told[0]
        );
        assert!(
            told[1].starts_with("no more room: xxx") && told[1].contains("shortened"),
            "{:.200}",
            told[1]
        );
        assert!(told[1].len() < 5_000);
    };
    env.run_all(vec![owner, server], body).await;
}
