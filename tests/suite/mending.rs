//! Code that panics, waits for something foreign or no longer matches its history stops its own
//! instance only, says why, and goes on when it is mended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use infinitic::prelude::*;

use crate::env::{Env, assert_says, until_status};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_panic_stops_and_a_deployment_mends_it,
    a_panic_stops_and_retry_turn_mends_it,
    others_go_on_meanwhile,
    another_command_than_recorded_stops,
    a_missing_command_stops,
    outcomes_that_come_meanwhile_are_not_lost,
    a_foreign_wait_stops,
    a_foreign_wake_stops,
    a_stopped_instance_may_be_cancelled,
    the_callers_of_a_stopped_instance_wait_on,
    code_that_stops_on_the_way_reopens_nothing,
}

/// A workflow in several deployments: the same name on the wire, other code.
macro_rules! deployment {
    ($deployment:ident, $body:expr) => {
        mod $deployment {
            use super::*;

            #[workflow(name = "flow")]
            pub(super) async fn flow(gate: String) -> Result<String> {
                let body: fn(String) -> _ = $body;
                body(gate).await
            }
        }
    };
}

async fn good_flow(gate: String) -> Result<String> {
    let first = lab().echo(name("first")).await?;
    let second = lab().gated(gate).await?;
    let third = lab().echo(name("third")).await?;
    Ok([first, second, third].join(" "))
}

async fn panicking_flow(gate: String) -> Result<String> {
    lab().echo(name("first")).await?;
    lab().gated(gate.clone()).await?;
    assert!(gate.starts_with("good"), "unexpected gate {gate}");
    let third = lab().echo(name("third")).await?;
    Ok(format!("first {gate} {third}"))
}

async fn failing_flow(gate: String) -> Result<String> {
    lab().echo(name("first")).await?;
    let second = lab().gated(gate).await?;
    Err(Error::msg(format!("no use for {second}")))
}

async fn broken_flow(gate: String) -> Result<String> {
    panic!("unexpected gate {gate}");
}

async fn reordered_flow(gate: String) -> Result<String> {
    let second = lab().gated(gate).await?;
    let first = lab().echo(name("first")).await?;
    Ok(first + &second)
}

async fn shortened_flow(_gate: String) -> Result<String> {
    Ok(lab().echo(name("first")).await?)
}

deployment!(good, good_flow);
deployment!(panicking, panicking_flow);
deployment!(failing, failing_flow);
deployment!(broken, broken_flow);
deployment!(reordered, reordered_flow);
deployment!(shortened, shortened_flow);

async fn a_panic_stops_and_a_deployment_mends_it(env: &Env) {
    let bench = TestLab::default();
    let first = |worker: Worker| worker.service(bench.clone()).workflow(panicking::flow);
    let second = |worker: Worker| worker.service(bench.clone()).workflow(good::flow);
    bench.open("a");
    let id = env
        .run(first, async |client| {
            let run = client.new_workflow::<panicking::flow>().flow(name("a"));
            let run = run.dispatch().await.unwrap();
            let state = until_status(&run, Status::Stopped).await;
            let explanation = state.stopped.unwrap();
            assert_eq!(explanation.kind, FailureKind::Stopped);
            let text = &explanation.message;
            assert_says(
                text,
                &["panicked", "unexpected gate a", "mending.rs:", "retry_turn"],
            );
            run.id()
        })
        .await;
    env.run(second, async |client| {
        let run = client.attach::<String, Error>(id);
        assert_eq!((&run).await.unwrap(), "first a third");
        assert_eq!(bench.log.count("a begins"), 1);
        assert_eq!(bench.log.count("echo first"), 1);
        assert_eq!(until_status(&run, Status::Completed).await.stopped, None);
    })
    .await;
}

/// A fault that comes and goes.
#[workflow]
struct Switched {
    is_mended: Arc<AtomicBool>,
}

#[workflow]
impl Switched {
    async fn run(&self, gate: String) -> Result<String> {
        let first = lab().gated(gate.clone()).await?;
        if !self.is_mended.load(Ordering::SeqCst) && gate.starts_with("bad") {
            panic!("a fault");
        }
        Ok(first + &lab().echo(name(" mended")).await?)
    }
}

fn switched(bench: &TestLab, is_mended: &Arc<AtomicBool>) -> impl Fn(Worker) -> Worker + use<> {
    let (bench, is_mended) = (bench.clone(), Arc::clone(is_mended));
    move |worker| {
        let is_mended = Arc::clone(&is_mended);
        worker.service(bench.clone()).workflow(move || Switched {
            is_mended: Arc::clone(&is_mended),
        })
    }
}

async fn a_panic_stops_and_retry_turn_mends_it(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::default());
    env.run(switched(&bench, &is_mended), async |client| {
        bench.open("bad");
        let run = client.new_workflow::<SwitchedClient>().run(name("bad"));
        let run = run.dispatch().await.unwrap();
        until_status(&run, Status::Stopped).await;
        // Not mended: it stops again.
        run.retry_turn().await.unwrap();
        until_status(&run, Status::Stopped).await;
        is_mended.store(true, Ordering::SeqCst);
        run.retry_turn().await.unwrap();
        assert_eq!((&run).await.unwrap(), "bad mended");
        assert_eq!(bench.log.count("bad begins"), 1);
        assert!(run.retry_turn().await.is_err());
    })
    .await;
}

async fn others_go_on_meanwhile(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::default());
    env.run(switched(&bench, &is_mended), async |client| {
        let switched = client.new_workflow::<SwitchedClient>();
        let other = switched.run(name("good")).dispatch().await.unwrap();
        let bad = switched.run(name("bad")).dispatch().await.unwrap();
        bench.open("bad");
        until_status(&bad, Status::Stopped).await;
        bench.open("good");
        assert_eq!(other.await.unwrap(), "good mended");
        bench.open("good too");
        let new = switched.run(name("good too")).await;
        assert_eq!(new.unwrap(), "good too mended");
        until_status(&bad, Status::Stopped).await;
    })
    .await;
}

/// Begins with good code, goes on with bad code until it stops with these words, and ends with good
/// code again.
macro_rules! diverges {
    ($env:expr, $bad:ident, $says:expr) => {{
        let bench = TestLab::default();
        let well = |worker: Worker| worker.service(bench.clone()).workflow(good::flow);
        let badly = |worker: Worker| worker.service(bench.clone()).workflow($bad::flow);
        let id = $env
            .cut_off(well, async |client| {
                let run = client.new_workflow::<good::flow>().flow(name("a"));
                let run = run.dispatch().await.unwrap();
                bench.until_begun("a").await;
                bench.open("a");
                bench.log.until("echo third", 1).await;
                let other = client.new_workflow::<good::flow>().flow(name("b"));
                let other = other.dispatch().await.unwrap();
                bench.until_begun("b").await;
                drop(run);
                other.id()
            })
            .await;
        bench.open("b");
        $env.run(badly, async |client| {
            let run = client.attach::<String, Error>(id);
            let state = until_status(&run, Status::Stopped).await;
            assert_says(&state.stopped.unwrap().message, $says);
            // Trying the same code again helps nothing.
            run.retry_turn().await.unwrap();
            until_status(&run, Status::Stopped).await;
        })
        .await;
        $env.run(well, async |client| {
            let run = client.attach::<String, Error>(id);
            assert_eq!((&run).await.unwrap(), "first b third");
        })
        .await;
    }};
}

async fn another_command_than_recorded_stops(env: &Env) {
    let says = [
        "no longer matches its history",
        "at command 0",
        "Lab.echo",
        "Lab.gated",
        "mending.rs:",
    ];
    diverges!(env, reordered, &says);
}

async fn a_missing_command_stops(env: &Env) {
    let says = [
        "no longer matches its history",
        "at command 1",
        "Lab.gated",
        "the end of the method",
    ];
    diverges!(env, shortened, &says);
}

#[workflow]
struct Gathers {
    is_mended: Arc<AtomicBool>,
}

#[workflow]
impl Gathers {
    async fn run(&self) -> Result<String> {
        let (a, b) = (
            lab().gated(name("a")).dispatch(),
            lab().gated(name("b")).dispatch(),
        );
        let first = lab().gated(name("first")).await?;
        assert!(self.is_mended.load(Ordering::SeqCst), "not mended");
        Ok(first + &a.await? + &b.await?)
    }
}

async fn outcomes_that_come_meanwhile_are_not_lost(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::<AtomicBool>::default());
    let host = |worker: Worker| {
        let is_mended = Arc::clone(&is_mended);
        worker.service(bench.clone()).workflow(move || Gathers {
            is_mended: Arc::clone(&is_mended),
        })
    };
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<GathersClient>().run().dispatch();
            let run = run.await.unwrap();
            bench.open("first");
            until_status(&run, Status::Stopped).await;
            // The code stands still, its calls do not.
            bench.open("a");
            crate::env::until("the outcome is recorded", async || {
                run.state().await.unwrap().waits.len() == 1
            })
            .await;
            run.id()
        })
        .await;
    is_mended.store(true, Ordering::SeqCst);
    bench.open("b");
    env.run(host, async |client| {
        let result = client.attach::<String, Error>(id).await;
        assert_eq!(result.unwrap(), "firstab");
        assert_eq!(bench.log.count("a begins"), 1);
    })
    .await;
}

/// Something that no history knows: ready when the test says so.
#[derive(Clone, Default)]
struct Foreign(Arc<Mutex<(bool, Option<Waker>)>>);

impl Foreign {
    async fn wait(&self) {
        std::future::poll_fn(|context| {
            let mut inner = self.0.lock().unwrap();
            inner.1 = Some(context.waker().clone());
            if inner.0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn wake(&self) {
        let waker = self.0.lock().unwrap().1.take();
        waker.expect("it is waited for").wake();
    }
}

#[workflow]
struct Foreigner {
    foreign: Foreign,
    beside: bool,
}

#[workflow(name = "foreigners")]
impl Foreigner {
    async fn run(&self) -> Result<String> {
        let first = lab().echo(name("first")).await?;
        if self.beside {
            let (text, ()) = join!(lab().gated(name("a")), self.foreign.wait());
            return Ok(first + " " + &text?);
        }
        self.foreign.wait().await;
        Ok(first)
    }
}

/// The same without its fault.
#[workflow]
struct Native {
    beside: bool,
}

#[workflow(name = "foreigners")]
impl Native {
    async fn run(&self) -> Result<String> {
        let first = lab().echo(name("first")).await?;
        if !self.beside {
            return Ok(first);
        }
        Ok(first + " " + &lab().gated(name("a")).await?)
    }
}

async fn a_foreign_wait_stops(env: &Env) {
    waits_for_foreign(env, false, "first").await;
}

async fn a_foreign_wake_stops(env: &Env) {
    waits_for_foreign(env, true, "first a").await;
}

async fn waits_for_foreign(env: &Env, beside: bool, result: &str) {
    let (bench, foreign) = (TestLab::default(), Foreign::default());
    let host = |worker: Worker| {
        let foreign = foreign.clone();
        worker.service(bench.clone()).workflow(move || Foreigner {
            foreign: foreign.clone(),
            beside,
        })
    };
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<ForeignerClient>().run().dispatch();
            let run = run.await.unwrap();
            if beside {
                bench.until_begun("a").await;
                foreign.wake();
                bench.open("a");
            }
            let state = until_status(&run, Status::Stopped).await;
            let text = state.stopped.unwrap().message;
            assert_says(text, &["no call, timer, step or deferred", "step(..)"]);
            run.id()
        })
        .await;
    let mended = |worker: Worker| {
        let worker = worker.service(bench.clone());
        worker.workflow(move || Native { beside })
    };
    env.run(mended, async |client| {
        let ended = client.attach::<String, Error>(id).await;
        assert_eq!(ended.unwrap(), result);
    })
    .await;
}

async fn a_stopped_instance_may_be_cancelled(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::default());
    bench.open("bad");
    let id = env
        .run(switched(&bench, &is_mended), async |client| {
            let run = client.new_workflow::<SwitchedClient>().run(name("bad"));
            let run = run.dispatch().await.unwrap();
            until_status(&run, Status::Stopped).await;
            run.cancel().await.unwrap();
            let failure = crate::env::failed((&run).await);
            assert_eq!(failure.kind(), FailureKind::Cancelled);
            run.id()
        })
        .await;
    env.run(switched(&bench, &is_mended), async |client| {
        let run = client.attach::<String, Error>(id);
        assert_eq!(run.state().await.unwrap().status, Status::Cancelled);
    })
    .await;
}

async fn the_callers_of_a_stopped_instance_wait_on(env: &Env) {
    let (bench, is_mended) = (TestLab::default(), Arc::<AtomicBool>::default());
    bench.open("bad");
    env.run(switched(&bench, &is_mended), async |client| {
        let run = client.new_workflow::<SwitchedClient>().run(name("bad"));
        let run = run.dispatch().await.unwrap();
        until_status(&run, Status::Stopped).await;
        let waits = async { (&run).await.unwrap() };
        let mends = async {
            is_mended.store(true, Ordering::SeqCst);
            run.retry_turn().await.unwrap();
        };
        let (text, ()) = tokio::join!(waits, mends);
        assert_eq!(text, "bad mended");
    })
    .await;
}

async fn code_that_stops_on_the_way_reopens_nothing(env: &Env) {
    let bench = TestLab::default();
    bench.open("a");
    let failing = |worker: Worker| worker.service(bench.clone()).workflow(failing::flow);
    let broken = |worker: Worker| worker.service(bench.clone()).workflow(broken::flow);
    let good = |worker: Worker| worker.service(bench.clone()).workflow(good::flow);
    let id = env
        .run(failing, async |client| {
            let run = client.new_workflow::<failing::flow>().flow(name("a"));
            let run = run.dispatch().await.unwrap();
            assert_says((&run).await.unwrap_err().message(), &["no use for a"]);
            run.id()
        })
        .await;
    // What was done must not be done again because code is broken that never came so far.
    env.run(broken, async |client| {
        let run = client.attach::<String, Error>(id);
        let refused = run.retry_turn().await.unwrap_err();
        let says = ["stops before", "unexpected gate a", "deploy mended code"];
        assert_says(refused, &says);
        until_status(&run, Status::Failed).await;
    })
    .await;
    env.run(good, async |client| {
        let run = client.attach::<String, Error>(id);
        run.retry_turn().await.unwrap();
        assert_eq!(run.await.unwrap(), "first a third");
        assert_eq!(bench.log.count("echo first"), 1);
        assert_eq!(bench.log.count("a begins"), 1);
    })
    .await;
}
