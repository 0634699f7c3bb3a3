//! Workflows that loop without waiting: each is stopped with an explanation, and the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use infinitic::prelude::*;
use tokio::sync::Notify;

use crate::{assert_says, run, until_status, with_worker};

/// Longest turn of these tests.
const LIMIT: Duration = Duration::from_millis(300);

#[workflow]
#[derive(Clone, Default)]
struct Spinner {
    /// Lets the threads that were given up come to their end as well.
    is_mended: Arc<AtomicBool>,
    /// Told when one begins to loop.
    began: Arc<Notify>,
}

#[workflow]
impl Spinner {
    async fn go(&self, spins: bool) -> Result<u32> {
        if spins {
            self.spin();
        }
        timer(Duration::from_millis(20)).await;
        let number = inline(|| 7);
        timer(Duration::from_millis(20)).await;
        Ok(number)
    }

    async fn go_later(&self, spins: bool) -> Result<u32> {
        timer(Duration::from_millis(5)).await;
        self.go(spins).await
    }

    fn spin(&self) {
        self.began.notify_one();
        while !self.is_mended.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn loops_are_stopped_and_the_others_go_on() {
    let temp = tempfile::tempdir().unwrap();
    let spinner = Spinner::default();
    let hosts = || {
        let (worker, made) = (
            Worker::embedded(temp.path().join("data")).unwrap(),
            spinner.clone(),
        );
        // One thread for all, so that a stuck one is everybody's.
        let worker = worker.shards(1).turn_limit(LIMIT);
        // No policy tries a turn again that takes for ever.
        let worker = worker.retry_turns(ExponentialRetry::DEFAULT);
        worker.workflow(move || made.clone())
    };
    run(async {
        let culprits = with_worker(hosts(), async |client| {
            let spinner = client.new_workflow::<SpinnerClient>();
            // One loops in its first turn, one later, and innocent ones are before and behind.
            let starts = [false, false, true, false].map(|spins| spinner.go_later(spins));
            let mut runs = client.dispatch_many(starts).await.unwrap();
            runs.push(spinner.go(true).dispatch().await.unwrap());
            runs.push(spinner.go(false).dispatch().await.unwrap());
            let mut culprits = Vec::new();
            for (number, run) in runs.into_iter().enumerate() {
                if number == 2 || number == 4 {
                    let state = until_status(&run, Status::Stopped).await;
                    assert!(state.waits.is_empty(), "{:?}", state.waits);
                    let text = state.stopped.unwrap().message;
                    assert_says(text, &["longer than 300ms", "must not loop", "retry_turn"]);
                    culprits.push(run);
                } else {
                    assert_eq!(run.await.unwrap(), 7);
                }
            }
            // Trying again helps nothing, and harms nobody.
            culprits[0].retry_turn().await.unwrap();
            assert_eq!(spinner.go(false).await.unwrap(), 7);
            until_status(&culprits[0], Status::Stopped).await;
            culprits.iter().map(Run::id).collect::<Vec<_>>()
        })
        .await;
        // The same code after a restart: tried once, stopped again, and the others go on.
        with_worker(hosts(), async |client| {
            let innocent = client.new_workflow::<SpinnerClient>().go_later(false);
            assert_eq!(innocent.await.unwrap(), 7);
            for id in &culprits {
                let run = client.attach::<u32, Error>(*id);
                until_status(&run, Status::Stopped).await;
            }
        })
        .await;
        spinner.is_mended.store(true, Ordering::SeqCst);
        with_worker(hosts(), async |client| {
            for id in culprits {
                assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 7);
            }
        })
        .await;
    });
}

#[test]
fn a_loop_goes_on_by_retry_turn_once_it_is_mended() {
    let spinner = Spinner::default();
    let made = spinner.clone();
    let worker = Worker::in_memory().shards(1).turn_limit(LIMIT);
    let worker = worker.workflow(move || made.clone());
    run(with_worker(worker, async |client| {
        let go = client.new_workflow::<SpinnerClient>().go(true).dispatch();
        let run = go.await.unwrap();
        until_status(&run, Status::Stopped).await;
        spinner.is_mended.store(true, Ordering::SeqCst);
        run.retry_turn().await.unwrap();
        assert_eq!(run.await.unwrap(), 7);
    }));
}

#[test]
fn a_worker_stops_although_a_turn_never_ends() {
    let spinner = Spinner::default();
    let made = spinner.clone();
    let worker = Worker::in_memory().shards(1).turn_limit(LIMIT);
    let worker = worker.workflow(move || made.clone());
    run(with_worker(worker, async |client| {
        // Its first turn loops: it is not acknowledged before the worker is told to stop.
        let start = client.new_workflow::<SpinnerClient>().go(true).dispatch();
        tokio::task::yield_now().await;
        drop(start);
    }));
    spinner.is_mended.store(true, Ordering::SeqCst);
}

#[test]
fn a_stopping_worker_waits_for_no_turn_beyond_its_grace_period() {
    let temp = tempfile::tempdir().unwrap();
    let spinner = Spinner::default();
    let hosts = || {
        let worker = Worker::embedded(temp.path().join("data")).unwrap();
        let made = spinner.clone();
        // Its turns may take an hour.
        let worker = worker.shards(1).turn_limit(Duration::from_hours(1));
        worker.grace(LIMIT).workflow(move || made.clone())
    };
    run(async {
        let (begin, began) = (std::time::Instant::now(), Arc::clone(&spinner.began));
        let ids = with_worker(hosts(), async |client| {
            let spinner = client.new_workflow::<SpinnerClient>();
            let starts = [true, false].map(|spins| spinner.go_later(spins));
            let runs = client.dispatch_many(starts).await.unwrap();
            began.notified().await;
            runs.iter().map(Run::id).collect::<Vec<_>>()
        })
        .await;
        assert!(begin.elapsed() < Duration::from_secs(30));
        spinner.is_mended.store(true, Ordering::SeqCst);
        with_worker(hosts(), async |client| {
            for id in ids {
                assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 7);
            }
        })
        .await;
    });
}
