//! Fleets whose workers do not all host the same: on a cluster, with one worker and with several.
//! The last of them is a rolling deployment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use infinitic::prelude::*;
use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::cluster::transport::{DeadLetter, Topic};
use tokio::sync::{oneshot, watch};

use super::env::{Env, until};

on_a_cluster! {
    an_owner_that_does_not_host_a_version_sends_its_turns_away,
    a_worker_with_services_only_runs_what_others_own,
    who_leaves_in_order_hands_over_what_it_owned,
    what_a_dead_worker_owned_goes_on_elsewhere,
    ends_that_are_too_large_for_the_broker_are_told_in_short,
    turns_that_never_end_are_given_up_and_the_others_go_on,
    a_turn_that_never_ends_elsewhere_is_given_up,
    a_worker_stops_although_a_turn_never_ends,
    a_rolling_deployment_under_load,
    what_nobody_can_read_is_set_aside_and_the_others_go_on,
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
        timer(Duration::from_millis(5)).await;
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
    timer(Duration::from_millis(millis)).await;
    let doubled = new_service::<twice>().twice(1).await?;
    Ok(millis + u64::from(doubled))
}

async fn who_leaves_in_order_hands_over_what_it_owned(env: &Env) {
    let host = |worker: Worker| worker.service(twice).workflow(naps);
    let (first, second) = (host(env.worker().await), host(env.worker().await));
    let client = second.client();
    let (stop, stopped) = oneshot::channel::<()>();
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

/// Longest turn of these tests.
const TURN_LIMIT: Duration = Duration::from_millis(300);

#[workflow]
trait Spinning {
    async fn go(&self, spins: bool) -> Result<u32>;
}

#[workflow(version = 1)]
#[derive(Clone, Default)]
struct Spinner {
    /// Lets the threads that were given up come to their end as well.
    is_mended: Arc<AtomicBool>,
    /// Told when one begins to loop.
    began: Arc<tokio::sync::Notify>,
}

#[workflow]
impl Spinning for Spinner {
    async fn go(&self, spins: bool) -> Result<u32> {
        let doubled = new_service::<twice>().twice(2).await?;
        if spins {
            self.began.notify_one();
            while !self.is_mended.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        }
        timer(Duration::from_millis(20)).await;
        Ok(doubled + 1)
    }
}

/// Another version, so that somebody owns instances whose turns he cannot run.
#[workflow(version = 2)]
#[derive(Default)]
struct SpinnerV2;

#[workflow]
impl Spinning for SpinnerV2 {
    async fn go(&self, _spins: bool) -> Result<u32> {
        Ok(5)
    }
}

fn spins(worker: Worker, spinner: &Spinner) -> Worker {
    let made = spinner.clone();
    let worker = worker.turn_limit(TURN_LIMIT).service(twice);
    worker.workflow(move || made.clone())
}

async fn until_given_up(runs: &[Run<u32, Error>]) {
    for run in runs {
        until("its turn is given up", async || {
            let stopped = run.state().await.unwrap().stopped;
            // One whose turn runs elsewhere is stopped as well, and says where.
            stopped.is_some_and(|why| why.message.contains("longer than 300ms"))
        })
        .await;
    }
}

async fn go_on_mended(spinner: &Spinner, culprits: Vec<Run<u32, Error>>) {
    spinner.is_mended.store(true, Ordering::SeqCst);
    for run in culprits {
        run.retry_turn().await.unwrap();
        assert_eq!(run.await.unwrap(), 5);
    }
}

async fn turns_that_never_end_are_given_up_and_the_others_go_on(env: &Env) {
    let spinner = Spinner::default();
    let worker = spins(env.worker().await, &spinner);
    let client = worker.client();
    let body = async {
        let started = client.new_workflow::<SpinningClient>();
        let starts = [false, true, false, true, false].map(|spins| started.go(spins));
        let mut runs = client.dispatch_many(starts).await.unwrap();
        let culprits = vec![runs.remove(3), runs.remove(1)];
        for run in runs {
            assert_eq!(run.await.unwrap(), 5);
        }
        until_given_up(&culprits).await;
        assert_eq!(started.go(false).await.unwrap(), 5);
        go_on_mended(&spinner, culprits).await;
    };
    env.run_all(vec![worker], body).await;
}

async fn a_turn_that_never_ends_elsewhere_is_given_up(env: &Env) {
    let spinner = Spinner::default();
    let owner = env
        .worker()
        .await
        .service(twice)
        .workflow(SpinnerV2::default);
    let other = spins(env.worker().await, &spinner);
    let client = owner.client();
    let body = async {
        let started = client.new_workflow::<SpinningClient>().with_version(1);
        // Some are owned by whoever hosts them, some are not.
        let starts = [true; 4].map(|spins| started.go(spins));
        let culprits = client.dispatch_many(starts).await.unwrap();
        until_given_up(&culprits).await;
        assert_eq!(started.go(false).await.unwrap(), 5);
        go_on_mended(&spinner, culprits).await;
    };
    env.run_all(vec![owner, other], body).await;
}

async fn a_worker_stops_although_a_turn_never_ends(env: &Env) {
    let spinner = Spinner::default();
    let worker = spins(env.worker().await, &spinner).turn_limit(Duration::from_hours(1));
    let client = worker.client();
    let body = async {
        let starts = client.new_workflow::<SpinningClient>().go(true);
        drop(starts.dispatch().await.unwrap());
        spinner.began.notified().await;
    };
    env.run_all(vec![worker], body).await;
    spinner.is_mended.store(true, Ordering::SeqCst);
}

/// A worker that runs until it is told to leave.
struct Running {
    leave: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<std::result::Result<(), WorkerError>>,
}

impl Running {
    fn begin(worker: Worker) -> Self {
        let (leave, leaves) = oneshot::channel();
        let ended = tokio::spawn(worker.run_until(async { drop(leaves.await) }));
        Self { leave, ended }
    }

    async fn end(self) {
        self.leave.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

/// Starts instances of whatever version is there, round after round, and counts the rounds.
async fn load(client: &Client, rounds: &watch::Sender<u32>, over: &watch::Sender<bool>) {
    let mut number = 0;
    while !*over.borrow() {
        let numbers = number..number + 20;
        let starts = numbers.map(|number| client.new_workflow::<RollingClient>().go(number));
        let runs = client.dispatch_many(starts).await.unwrap();
        for (number, run) in (number..).zip(runs) {
            let ended = run.await.unwrap();
            let is_one = ended == format!("one {}", (number * 2 + 1) * 2);
            assert!(is_one || ended == format!("two {}", number * 2), "{ended}");
        }
        number += 20;
        rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// First everybody has the old version, then some the new one beside it, then all only the new one.
/// Tasks are run by a worker that hosts nothing else.
async fn a_rolling_deployment_under_load(env: &Env) {
    let server = env.worker_without_store().await.service(twice);
    let client = server.client();
    let server = Running::begin(server);
    let old = |worker: Worker| worker.workflow(RollingV1::default);
    let new = |worker: Worker| worker.workflow(RollingV2::default);
    let (rounds, over) = (watch::channel(0).0, watch::channel(false).0);
    // Two whole rounds: all that was begun before has ended.
    let two_rounds = async || {
        let (mut seen, begun) = (rounds.subscribe(), *rounds.borrow());
        seen.wait_for(|rounds| *rounds >= begun + 2).await.unwrap();
    };
    let roll = async {
        let mut fleet = vec![
            Running::begin(old(env.worker().await)),
            Running::begin(old(env.worker().await)),
        ];
        two_rounds().await;
        for _ in 0..2 {
            fleet.push(Running::begin(new(old(env.worker().await))));
            fleet.remove(0).end().await;
            two_rounds().await;
        }
        for _ in 0..2 {
            fleet.push(Running::begin(new(env.worker().await)));
            fleet.remove(0).end().await;
            two_rounds().await;
        }
        over.send_replace(true);
        fleet
    };
    let (fleet, ()) = tokio::join!(roll, load(&client, &rounds, &over));
    let last = client.new_workflow::<RollingClient>().go(1).await.unwrap();
    assert_eq!(last, "two 2");
    assert!(client.dead_letters(10).await.unwrap().is_empty());
    for running in fleet.into_iter().chain([server]) {
        running.end().await;
    }
}

/// What is no message of ours, of any release.
const GARBAGE: [&[u8]; 3] = [b"", &[0, 1, 2], &[1, 0xff, 0xff, 0xff]];

async fn what_nobody_can_read_is_set_aside_and_the_others_go_on(env: &Env) {
    let worker = env.worker().await.service(twice).workflow(naps);
    let client = worker.client();
    let transport = env.transport().await;
    let body = async {
        // Makes all topics.
        assert_eq!(client.new_workflow::<naps>().naps(1).await.unwrap(), 3);
        let (workflow, service) = (WorkflowName::known("naps"), ServiceName::known("twice"));
        let part = |number| Part {
            workflow: workflow.clone(),
            number,
        };
        let topics = [
            Topic::Inbox(part(0)),
            Topic::Inbox(part(3)),
            Topic::Tasks(service.clone()),
            Topic::Turns(workflow.clone(), 0),
        ];
        for topic in &topics {
            for garbage in GARBAGE {
                let sent = transport.send(topic, Bytes::from_static(garbage));
                sent.await.unwrap();
            }
        }
        // Who hears of attempts that are not wanted passes over what it cannot read.
        let control = Topic::TaskControl(service);
        let sent = transport.send(&control, Bytes::from_static(GARBAGE[1]));
        sent.await.unwrap();
        until("all of it is set aside", async || {
            let letters = client.dead_letters(100).await.unwrap();
            letters.len() == topics.len() * GARBAGE.len()
        })
        .await;
        let letters = client.dead_letters(100).await.unwrap();
        assert!(letters.iter().all(|letter| !letter.reason.is_empty()));
        let starts = (0..20).map(|_| client.new_workflow::<naps>().naps(1));
        for run in client.dispatch_many(starts).await.unwrap() {
            assert_eq!(run.await.unwrap(), 3);
        }
        // Nothing has been mended: it comes back.
        assert!(client.redrive(&letters[0].id).await.unwrap());
        until("it is set aside again", async || {
            let again = client.dead_letters(100).await.unwrap();
            let is_old = |letter: &DeadLetter| letter.id == letters[0].id;
            again.len() == letters.len() && !again.iter().any(is_old)
        })
        .await;
    };
    env.run_all(vec![worker], body).await;
}
