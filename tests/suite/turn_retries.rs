//! A retry policy for turns: code that cannot go on is tried again after a pause, so often and no
//! more, over restarts of the worker too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed, until, until_status};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_fault_that_passes_needs_nobody,
    tries_end_with_the_policy,
    a_policy_of_the_user_decides,
    a_policy_that_panics_ends_the_tries,
    without_a_policy_it_stands_still,
    the_pause_survives_a_restart,
    retry_turn_does_not_wait_for_the_pause,
    cancel_ends_the_tries,
    a_foreign_wait_is_tried_again,
    a_turn_of_its_own_has_tries_of_its_own,
}

/// Faults that pass by themselves: how often each place panics before it is well.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<BTreeMap<String, u32>>>);

impl Faults {
    fn set(&self, place: &str, times: u32) {
        self.0.lock().unwrap().insert(place.to_owned(), times);
    }

    fn left(&self, place: &str) -> u32 {
        self.0.lock().unwrap()[place]
    }

    fn pass(&self, place: &str) {
        let mut faults = self.0.lock().unwrap();
        let left = faults.entry(place.to_owned()).or_default();
        let is_faulty = *left > 0;
        *left = left.saturating_sub(1);
        drop(faults);
        assert!(!is_faulty, "{place} is not there yet");
    }
}

#[workflow]
struct Unsteady {
    faults: Faults,
}

#[workflow]
impl Unsteady {
    async fn run(&self) -> Result<String> {
        let first = lab().echo(name("first")).await?;
        self.faults.pass("first");
        let second = lab().echo(name("second")).await?;
        self.faults.pass("second");
        Ok(first + " " + &second)
    }
}

fn retries(max_attempts: u32, initial_ms: u64) -> ExponentialRetry {
    ExponentialRetry {
        max_attempts,
        initial_ms,
        jitter: 0.0,
        ..ExponentialRetry::DEFAULT
    }
}

fn host(bench: &TestLab, faults: &Faults) -> impl Fn(Worker) -> Worker + use<> {
    let (bench, faults) = (bench.clone(), faults.clone());
    move |worker| {
        let faults = faults.clone();
        worker.service(bench.clone()).workflow(move || Unsteady {
            faults: faults.clone(),
        })
    }
}

async fn start(client: &Client) -> Run<String, Error> {
    let run = client.new_workflow::<UnsteadyClient>().run().dispatch();
    run.await.unwrap()
}

async fn a_fault_that_passes_needs_nobody(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 2);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(retries(3, 1)),
        async |client| {
            let run = start(client).await;
            assert_eq!((&run).await.unwrap(), "first second");
            assert_eq!(bench.log.count("echo first"), 1);
            assert_eq!(run.state().await.unwrap().stopped, None);
        },
    )
    .await;
}

/// Waits until an instance stands still with no further try to come.
async fn until_tries_end(run: &Run<String, Error>) -> InstanceState {
    until("it stands still", async || {
        let state = run.state().await.unwrap();
        state.status == Status::Stopped && state.waits.is_empty()
    })
    .await;
    run.state().await.unwrap()
}

async fn tries_end_with_the_policy(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 99);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(retries(4, 1)),
        async |client| {
            let run = start(client).await;
            let explanation = until_tries_end(&run).await.stopped.unwrap();
            assert_eq!(faults.left("first"), 95);
            assert_says(&explanation.message, &["first is not there yet"]);
            assert_eq!(explanation.previous.len(), 3);
            // By hand it gets all of its tries anew.
            run.retry_turn().await.unwrap();
            until("four more", async || faults.left("first") == 91).await;
            until_tries_end(&run).await;
            faults.set("first", 0);
            run.retry_turn().await.unwrap();
            assert_eq!((&run).await.unwrap(), "first second");
        },
    )
    .await;
}

/// Three tries, where it is worth it.
struct WhileNotThere;

impl RetryPolicy for WhileNotThere {
    fn delay(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        let is_worth_it = failure.message().contains("not there yet");
        assert_eq!(failure.previous().len(), attempt as usize);
        (is_worth_it && attempt < 2).then_some(Duration::from_micros(10))
    }
}

async fn a_policy_of_the_user_decides(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 99);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(WhileNotThere),
        async |client| {
            let run = start(client).await;
            until_tries_end(&run).await;
            assert_eq!(faults.left("first"), 96);
        },
    )
    .await;
}

struct Panicking;

impl RetryPolicy for Panicking {
    fn delay(&self, attempt: u32, _: &Failure) -> Option<Duration> {
        assert!(attempt == 0, "no idea");
        Some(Duration::ZERO)
    }
}

async fn a_policy_that_panics_ends_the_tries(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 99);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(Panicking),
        async |client| {
            let run = start(client).await;
            let state = until_tries_end(&run).await;
            assert_says(&state.stopped.unwrap().message, &["first is not there yet"]);
            assert_eq!(faults.left("first"), 97);
        },
    )
    .await;
}

async fn without_a_policy_it_stands_still(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 2);
    env.run(host(&bench, &faults), async |client| {
        let run = start(client).await;
        let state = until_status(&run, Status::Stopped).await;
        assert_eq!((state.waits, faults.left("first")), (Vec::new(), 1));
    })
    .await;
}

const LONG_MS: u64 = 3_600_000;

/// Waits until an instance stands still and is to be tried again within the hour.
async fn until_planned(run: &Run<String, Error>) {
    let state = until_status(run, Status::Stopped).await;
    assert_says(&state.waits[0], &["its turn again, attempt 1 at 20"]);
}

async fn the_pause_survives_a_restart(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 2);
    let host = host(&bench, &faults);
    let patient = |worker| host(worker).retry_turns(retries(5, LONG_MS));
    let id = env
        .run(patient, async |client| {
            let run = start(client).await;
            until_planned(&run).await;
            run.id()
        })
        .await;
    // Whatever the policy is now: the next try is planned.
    env.cut_off(&host, async |client| {
        let run = client.attach::<String, Error>(id);
        until_planned(&run).await;
        assert_eq!(faults.left("first"), 1);
    })
    .await;
    env.run(patient, async |client| {
        let run = client.attach::<String, Error>(id);
        until_planned(&run).await;
        run.retry_turn().await.unwrap();
        until("its second try fails", async || faults.left("first") == 0).await;
        until_planned(&run).await;
        run.retry_turn().await.unwrap();
        assert_eq!((&run).await.unwrap(), "first second");
        assert_eq!(bench.log.count("echo first"), 1);
    })
    .await;
}

async fn retry_turn_does_not_wait_for_the_pause(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 1);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(retries(5, LONG_MS)),
        async |client| {
            let run = start(client).await;
            until_planned(&run).await;
            run.retry_turn().await.unwrap();
            assert_eq!((&run).await.unwrap(), "first second");
        },
    )
    .await;
}

async fn cancel_ends_the_tries(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 9);
    let host = host(&bench, &faults);
    let patient = |worker| host(worker).retry_turns(retries(5, LONG_MS));
    let id = env
        .run(patient, async |client| {
            let run = start(client).await;
            until_planned(&run).await;
            run.cancel().await.unwrap();
            assert_eq!(failed((&run).await).kind(), FailureKind::Cancelled);
            run.id()
        })
        .await;
    env.run(patient, async |client| {
        let state = client.attach::<String, Error>(id).state().await.unwrap();
        assert_eq!((state.status, state.waits), (Status::Cancelled, Vec::new()));
        assert_eq!(faults.left("first"), 8);
    })
    .await;
}

/// Waits for something that no history knows, as often as it is told to.
#[workflow]
struct Strays {
    faults: Faults,
}

#[workflow]
impl Strays {
    async fn run(&self) -> Result<String> {
        let first = lab().echo(name("first")).await?;
        let is_well = std::panic::catch_unwind(|| self.faults.pass("stray")).is_ok();
        if !is_well {
            std::future::pending::<()>().await;
        }
        Ok(first)
    }
}

async fn a_foreign_wait_is_tried_again(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("stray", 1);
    let host = |worker: Worker| {
        let faults = faults.clone();
        let worker = worker.service(bench.clone()).workflow(move || Strays {
            faults: faults.clone(),
        });
        worker.retry_turns(retries(3, 1))
    };
    env.run(host, async |client| {
        let ended = client.new_workflow::<StraysClient>().run().await;
        assert_eq!(ended.unwrap(), "first");
        assert_eq!(faults.left("stray"), 0);
    })
    .await;
}

async fn a_turn_of_its_own_has_tries_of_its_own(env: &Env) {
    let (bench, faults) = (TestLab::default(), Faults::default());
    faults.set("first", 2);
    faults.set("second", 2);
    let host = host(&bench, &faults);
    env.run(
        |worker| host(worker).retry_turns(retries(3, 1)),
        async |client| {
            let run = start(client).await;
            assert_eq!((&run).await.unwrap(), "first second");
            assert_eq!((faults.left("first"), faults.left("second")), (0, 0));
        },
    )
    .await;
}
