//! Attempts of tasks: retries, time limits, panics, and what tells them to stop.
//!
//! Limits and pauses are long enough for a machine that does much else.

use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, Log, assert_says, failed};
use crate::lab::{Refusal, TestLab, name};

on_all_backends! {
    nothing_is_tried_again_unless_asked,
    attempts_go_on_until_one_ends_well,
    attempts_end_after_as_many_as_asked,
    methods_override_what_their_impl_says,
    a_custom_policy_decides,
    a_panic_is_a_failed_attempt,
    a_time_limit_asks_first_and_takes_after_the_grace_period,
    what_came_too_late_is_a_timeout,
    timed_out_attempts_are_tried_again,
    the_callers_limit_covers_queue_and_retries,
    the_stub_sets_a_limit_of_its_own,
    retries_survive_restarts,
}

/// Reports each attempt.
#[derive(Clone, Default)]
struct Trier {
    lab: TestLab,
}

struct Thrice {
    log: &'static str,
}

impl RetryPolicy for Thrice {
    fn delay(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        assert_eq!(failure.previous().len(), attempt as usize, "{}", self.log);
        assert!(failure.error_as::<Refusal>().is_some());
        (attempt < 2).then(|| Duration::from_millis(u64::from(attempt)))
    }
}

#[service]
#[retry(
    max_attempts = 4,
    initial = "1ms",
    max = "2ms",
    coefficient = 1.5,
    jitter = 0.5
)]
#[timeout("150ms", grace = "50ms")]
impl Trier {
    /// Ends well at the third attempt.
    async fn third(&self, text: String) -> Result<String, Refusal> {
        let last = task::last_error().and_then(|last| last.error_as::<Refusal>());
        self.lab.log.push(format!("{} {last:?}", task::id()));
        if task::attempt() == 2 {
            return Ok(text);
        }
        Err(Refusal::Early(task::attempt().to_string()))
    }

    async fn never(&self) -> Result<u8, Refusal> {
        self.lab.log.push("never");
        Err(Refusal::Asked(task::attempt().to_string()))
    }

    #[retry(none)]
    async fn once(&self) -> Result<u8, Refusal> {
        self.lab.log.push("once");
        Err(Refusal::Asked(name("once")))
    }

    #[retry(with = Thrice { log: "thrice" })]
    async fn thrice(&self) -> Result<u8, Refusal> {
        self.lab.log.push("thrice");
        Err(Refusal::Asked(name("thrice")))
    }

    async fn panics(&self, times: u32) -> u32 {
        assert!(task::attempt() >= times, "boom {}", task::attempt());
        task::attempt()
    }

    /// Ends by itself when it is told to, with a value that nobody wants.
    #[retry(none)]
    #[timeout("150ms", grace = "10s")]
    async fn obedient(&self) -> u8 {
        task::cancelled().await;
        assert!(task::is_cancelled());
        self.lab.log.push("obeyed");
        7
    }

    /// Does not listen.
    #[retry(none)]
    async fn deaf(&self) -> u8 {
        let _dropped = OnDrop(self.lab.log.clone());
        self.lab.until_open("never opened").await;
        8
    }

    /// Times out at first.
    async fn slow_once(&self) -> u32 {
        if task::attempt() == 0 {
            task::cancelled().await;
        }
        task::attempt()
    }
}

struct OnDrop(Log);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.push("dropped");
    }
}

#[workflow]
async fn tries(what: String) -> Result<String, Failure> {
    let trier = new_service::<TrierStub>();
    let done = match what.as_str() {
        "never" => trier.never().await?.to_string(),
        "once" => trier.once().await?.to_string(),
        "thrice" => trier.thrice().await?.to_string(),
        "panics" => trier.panics(2).await?.to_string(),
        "burns" => trier.panics(9).await?.to_string(),
        "obedient" => trier.obedient().await?.to_string(),
        "deaf" => trier.deaf().await?.to_string(),
        "slow once" => trier.slow_once().await?.to_string(),
        _ => trier.third(what).await?,
    };
    Ok(done)
}

/// Runs one task, and gives the result with the log.
async fn try_it(env: &Env, what: &str) -> (std::result::Result<String, Failure>, Vec<String>) {
    let trier = Trier::default();
    let host = |worker: Worker| {
        worker
            .service_for::<TrierStub, _>(trier.clone())
            .workflow(tries)
    };
    let result = env
        .run(host, async |client| {
            client.new_workflow::<tries>().tries(name(what)).await
        })
        .await;
    let result = result.map_err(|failure| failure.error().unwrap());
    (result, trier.lab.log.all())
}

#[service]
async fn untold() -> Result<u8, Refusal> {
    Err(Refusal::Asked(task::attempt().to_string()))
}

#[workflow]
async fn tries_untold() -> Result<u8, Failure> {
    Ok(new_service::<untold>().untold().await?)
}

async fn nothing_is_tried_again_unless_asked(env: &Env) {
    let host = |worker: Worker| worker.service(untold).workflow(tries_untold);
    env.run(host, async |client| {
        let failure = failed(client.new_workflow::<tries_untold>().tries_untold().await);
        let failure = failure.error().unwrap();
        assert_eq!((failure.attempts(), failure.message()), (1, "refused: 0"));
    })
    .await;
}

async fn attempts_go_on_until_one_ends_well(env: &Env) {
    let (result, log) = try_it(env, "third").await;
    assert_eq!(result.unwrap(), "third");
    let (ids, last): (Vec<_>, Vec<_>) = log.iter().filter_map(|l| l.split_once(' ')).unzip();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(ids[0].parse::<TaskId>().is_ok());
    let expected = [r#"None"#, r#"Some(Early("0"))"#, r#"Some(Early("1"))"#];
    assert_eq!(last, expected);
}

async fn attempts_end_after_as_many_as_asked(env: &Env) {
    let (result, log) = try_it(env, "never").await;
    let failure = failed(result);
    assert_eq!(log, ["never"; 4]);
    assert_eq!(failure.attempts(), 4);
    assert_eq!(
        failure.previous(),
        ["refused: 0", "refused: 1", "refused: 2"]
    );
    assert_eq!(failure.error_as(), Some(Refusal::Asked(name("3"))));
}

async fn methods_override_what_their_impl_says(env: &Env) {
    let (result, log) = try_it(env, "once").await;
    assert_eq!(failed(result).attempts(), 1);
    assert_eq!(log, ["once"]);
}

async fn a_custom_policy_decides(env: &Env) {
    let (result, log) = try_it(env, "thrice").await;
    assert_eq!(failed(result).attempts(), 3);
    assert_eq!(log, ["thrice"; 3]);
}

async fn a_panic_is_a_failed_attempt(env: &Env) {
    let (result, _) = try_it(env, "panics").await;
    assert_eq!(result.unwrap(), "2");
    let (result, _) = try_it(env, "burns").await;
    let failure = failed(result);
    assert_eq!(failure.kind(), FailureKind::Panicked);
    assert_eq!(failure.attempts(), 4);
    assert_says(failure.message(), &["boom 3"]);
    let story = format!("{} {:?}", failure.message(), failure.backtrace());
    assert_says(story, &["attempts.rs:"]);
}

async fn a_time_limit_asks_first_and_takes_after_the_grace_period(env: &Env) {
    let (result, log) = try_it(env, "deaf").await;
    let failure = failed(result);
    assert_eq!(failure.kind(), FailureKind::TimedOut);
    assert_says(failure.message(), &["150ms"]);
    assert_eq!(log, ["dropped"]);
}

async fn what_came_too_late_is_a_timeout(env: &Env) {
    let (result, log) = try_it(env, "obedient").await;
    assert_eq!(failed(result).kind(), FailureKind::TimedOut);
    assert_eq!(log, ["obeyed"]);
}

async fn timed_out_attempts_are_tried_again(env: &Env) {
    let (result, _) = try_it(env, "slow once").await;
    assert_eq!(result.unwrap(), "1");
}

#[service]
trait Limited {
    #[timeout("400ms")]
    async fn limited(&self) -> Result<u8, Refusal>;
    async fn unlimited(&self) -> Result<u8, Refusal>;
}

#[service]
#[retry(max_attempts = 1000, initial = "10ms", coefficient = 1.0, jitter = 0.0)]
impl Limited for Trier {
    async fn limited(&self) -> Result<u8, Refusal> {
        self.lab.log.push("limited");
        Err(Refusal::Early(name("limited")))
    }

    async fn unlimited(&self) -> Result<u8, Refusal> {
        self.lab.log.push("unlimited");
        task::cancelled().await;
        self.lab.log.push("told");
        Ok(1)
    }
}

#[workflow]
async fn within_limits(own: bool) -> Result<u64> {
    let since = now();
    let failure = if own {
        let stub = new_service::<LimitedStub>().with_timeout(Duration::from_millis(300));
        failed(stub.unlimited().await)
    } else {
        failed(new_service::<LimitedStub>().limited().await)
    };
    assert_eq!(failure.kind(), FailureKind::TimedOut);
    assert!(failure.error().is_none());
    Ok(u64::try_from(now().since(since).as_millis())?)
}

async fn the_callers_limit_covers_queue_and_retries(env: &Env) {
    let trier = Trier::default();
    let host = |worker: Worker| {
        let worker = worker.service_for::<LimitedStub, _>(trier.clone());
        worker.workflow(within_limits)
    };
    env.run(host, async |client| {
        let took = client.new_workflow::<within_limits>().within_limits(false);
        let took = took.await.unwrap();
        assert!((400..10_000).contains(&took), "{took} ms");
        assert!(trier.lab.log.count("limited") >= 2);
    })
    .await;
    // Nobody hosts it: it waits in the queue until the limit runs out.
    env.run(
        |worker| worker.workflow(within_limits),
        async |client| {
            let took = client.new_workflow::<within_limits>().within_limits(false);
            assert!(took.await.unwrap() >= 400);
        },
    )
    .await;
}

async fn the_stub_sets_a_limit_of_its_own(env: &Env) {
    let trier = Trier::default();
    let host = |worker: Worker| {
        let worker = worker.service_for::<LimitedStub, _>(trier.clone());
        worker.workflow(within_limits)
    };
    env.run(host, async |client| {
        let took = client.new_workflow::<within_limits>().within_limits(true);
        assert!(took.await.unwrap() >= 300);
        // Its attempt was told.
        trier.lab.log.until("told", 1).await;
    })
    .await;
}

#[derive(Clone)]
struct Patient(Log);

#[service]
impl Patient {
    #[retry(max_attempts = 3, initial = "600ms", coefficient = 1.0, jitter = 0.0)]
    async fn wait(&self) -> Result<u32, Refusal> {
        self.0.push(format!("attempt {}", task::attempt()));
        if task::attempt() < 2 {
            return Err(Refusal::Early(task::attempt().to_string()));
        }
        Ok(task::attempt())
    }
}

#[workflow]
async fn patient() -> Result<(u32, u64)> {
    let since = now();
    let attempt = new_service::<PatientStub>().wait().await?;
    Ok((attempt, u64::try_from(now().since(since).as_millis())?))
}

async fn retries_survive_restarts(env: &Env) {
    let log = Log::default();
    let host = |worker: Worker| worker.service(Patient(log.clone())).workflow(patient);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<patient>().patient().dispatch().await;
            let run = run.unwrap();
            crate::env::until("the first attempt has failed", async || {
                let waits = run.state().await.unwrap().waits;
                waits.iter().any(|wait| wait.contains("attempt 1 at"))
            })
            .await;
            run.id()
        })
        .await;
    env.run(host, async |client| {
        let waited = client.attach::<(u32, u64), Error>(id).await;
        let (attempt, took) = waited.unwrap();
        // Neither the number nor the pause begins anew.
        assert_eq!(attempt, 2);
        assert!(took >= 1_200, "{took} ms");
        assert_eq!(log.all(), ["attempt 0", "attempt 1", "attempt 2"]);
    })
    .await;
}
