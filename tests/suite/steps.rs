//! Steps: side effects of workflow code, recorded, run by its own worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use infinitic::prelude::*;

use crate::env::{Env, assert_says, failed};
use crate::lab::{Refusal, TestLab, lab, name};

on_all_backends! {
    results_are_recorded,
    failed_attempts_are_retried_as_asked,
    typed_errors_come_back,
    attempts_have_time_limits,
    a_panic_is_a_failed_attempt,
    a_crash_before_the_result_runs_it_again,
    steps_run_beside_other_things,
    a_step_is_a_task_of_its_own,
}

/// A workflow whose steps can be watched.
#[workflow]
#[derive(Clone, Default)]
struct Steps {
    bench: TestLab,
    count: Arc<AtomicU32>,
}

impl Steps {
    fn host(&self) -> impl Fn(Worker) -> Worker + use<> {
        let made = self.clone();
        move |worker| {
            let made = made.clone();
            let worker = worker.service(made.bench.clone());
            worker.workflow(move || made.clone())
        }
    }
}

#[workflow]
impl Steps {
    async fn counted(&self) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let count = Arc::clone(&self.count);
            let number = step("count", move || {
                let count = Arc::clone(&count);
                async move { Ok::<_, Error>(count.fetch_add(1, Ordering::SeqCst)) }
            })
            .await?;
            numbers.push(number);
            lab().echo(name("between")).await?;
        }
        Ok(numbers)
    }

    async fn stubborn(&self, attempts: u32) -> Result<u32, Failure> {
        let count = Arc::clone(&self.count);
        let number = step("stubborn", move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            async move {
                assert_eq!(task::attempt(), number);
                if number < 2 {
                    return Err(Refusal::Early(number.to_string()));
                }
                Ok(number)
            }
        });
        let policy = ExponentialRetry {
            max_attempts: attempts,
            initial_ms: 1,
            ..ExponentialRetry::default()
        };
        Ok(number.retry_with(policy).await?)
    }

    async fn refused(&self) -> Result<Refusal> {
        let refused = step("refuse", || async {
            Err::<(), _>(Refusal::Asked(name("step")))
        });
        let failure = failed(refused.await);
        assert_eq!(failure.attempts(), 1);
        Ok(failure.error().unwrap())
    }

    async fn slow(&self) -> Result<(), Failure> {
        let bench = self.bench.clone();
        let slow = step("slow", move || {
            let bench = bench.clone();
            async move {
                task::cancelled().await;
                bench.log.push("told");
                Ok::<_, Error>(())
            }
        });
        Ok(slow.timeout(Duration::from_millis(20)).await?)
    }

    async fn panics(&self) -> Result<u8, Failure> {
        let panics = step("panics", || async {
            if task::attempt() < 5 {
                panic!("step boom");
            }
            Ok::<_, Error>(1)
        });
        Ok(panics.await?)
    }

    async fn long(&self) -> Result<String> {
        let bench = self.bench.clone();
        let long = step("long", move || {
            let bench = bench.clone();
            async move {
                bench.log.push("step begins");
                bench.until_open("step").await;
                bench.log.push("step ends");
                Ok::<_, Error>(task::id().to_string())
            }
        });
        let id = long.await?;
        lab().gated(name("after")).await?;
        Ok(id)
    }

    async fn beside(&self) -> Result<String> {
        let bench = self.bench.clone();
        let first = step("first", move || {
            let bench = bench.clone();
            async move {
                bench.until_open("step").await;
                Ok::<_, Error>(name("first"))
            }
        });
        let second = async {
            let a = lab().gated(name("a")).await?;
            let b = step("second", move || {
                let a = a.clone();
                async move { Ok::<_, Error>(a + "b") }
            });
            Ok::<_, Error>(b.await?)
        };
        let (first, second) = join!(first, second);
        Ok(first? + &second?)
    }

    async fn knows(&self) -> Result<(String, String, u32)> {
        let knows = step("knows", || async {
            let id = task::id().instance.to_string();
            Ok::<_, Error>((id, task::name().to_string(), task::attempt()))
        });
        Ok(knows.await?)
    }
}

async fn results_are_recorded(env: &Env) {
    let steps = Steps::default();
    env.run(steps.host(), async |client| {
        let numbers = client.new_workflow::<StepsClient>().counted().await;
        assert_eq!(numbers.unwrap(), [0, 1, 2]);
        assert_eq!(steps.count.load(Ordering::SeqCst), 3);
    })
    .await;
}

async fn failed_attempts_are_retried_as_asked(env: &Env) {
    let steps = Steps::default();
    env.run(steps.host(), async |client| {
        let number = client.new_workflow::<StepsClient>().stubborn(3).await;
        assert_eq!(number.unwrap(), 2);
    })
    .await;
    let steps = Steps::default();
    env.run(steps.host(), async |client| {
        let failure = failed(client.new_workflow::<StepsClient>().stubborn(2).await);
        let failure = failure.error().unwrap();
        assert_eq!(failure.error_as(), Some(Refusal::Early(name("1"))));
        assert_eq!(failure.attempts(), 2);
        assert_eq!(failure.previous(), ["0 is not there yet"]);
    })
    .await;
}

async fn typed_errors_come_back(env: &Env) {
    env.run(Steps::default().host(), async |client| {
        let refused = client.new_workflow::<StepsClient>().refused().await;
        assert_eq!(refused.unwrap(), Refusal::Asked(name("step")));
    })
    .await;
}

async fn attempts_have_time_limits(env: &Env) {
    let steps = Steps::default();
    env.run(steps.host(), async |client| {
        let failure = failed(client.new_workflow::<StepsClient>().slow().await);
        assert_eq!(failure.error().unwrap().kind(), FailureKind::TimedOut);
        assert_eq!(steps.bench.log.all(), ["told"]);
    })
    .await;
}

async fn a_panic_is_a_failed_attempt(env: &Env) {
    env.run(Steps::default().host(), async |client| {
        let failure = failed(client.new_workflow::<StepsClient>().panics().await);
        let failure = failure.error().unwrap();
        assert_eq!(failure.kind(), FailureKind::Panicked);
        assert_says(&failure, &["step boom", "panics"]);
    })
    .await;
}

async fn a_crash_before_the_result_runs_it_again(env: &Env) {
    let steps = Steps::default();
    let id = env
        .cut_off(steps.host(), async |client| {
            let run = client.new_workflow::<StepsClient>().long().dispatch();
            let run = run.await.unwrap();
            steps.bench.log.until("step begins", 1).await;
            run.id()
        })
        .await;
    // At once, and not once more when its result is there.
    env.cut_off(steps.host(), async |_| {
        steps.bench.log.until("step begins", 2).await;
        steps.bench.open("step");
        steps.bench.until_begun("after").await;
    })
    .await;
    steps.bench.open("after");
    env.run(steps.host(), async |client| {
        let task = client.attach::<String, Error>(id).await.unwrap();
        assert_eq!(task.parse::<TaskId>().unwrap().instance, id);
        assert_eq!(steps.bench.log.count("step begins"), 2);
        assert_eq!(steps.bench.log.count("step ends"), 1);
    })
    .await;
}

async fn steps_run_beside_other_things(env: &Env) {
    let steps = Steps::default();
    env.run(steps.host(), async |client| {
        let run = client.new_workflow::<StepsClient>().beside().dispatch();
        let run = run.await.unwrap();
        steps.bench.until_begun("a").await;
        steps.bench.open("a");
        crate::env::until("the second step has ended", async || {
            run.state().await.unwrap().waits == ["step first, attempt 0"]
        })
        .await;
        steps.bench.open("step");
        assert_eq!(run.await.unwrap(), "firstab");
    })
    .await;
}

async fn a_step_is_a_task_of_its_own(env: &Env) {
    env.run(Steps::default().host(), async |client| {
        let run = client.new_workflow::<StepsClient>().knows().dispatch();
        let run = run.await.unwrap();
        let known = (&run).await.unwrap();
        assert_eq!(known, (run.id().to_string(), name("knows"), 0));
    })
    .await;
}
