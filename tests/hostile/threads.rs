//! Services that block their threads, while others go on.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use infinitic::prelude::*;
use tokio::sync::watch;

use crate::{run, with_worker};

/// Blocks whole threads, until it is released.
#[derive(Clone, Default)]
struct Blocker {
    released: Arc<(Mutex<bool>, Condvar)>,
    blocked: watch::Sender<usize>,
}

impl Blocker {
    fn block(&self) {
        self.blocked.send_modify(|count| *count += 1);
        let (released, changed) = &*self.released;
        let guard = released.lock().unwrap();
        drop(changed.wait_while(guard, |released| !*released).unwrap());
    }

    fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }

    async fn until_blocked(&self, count: usize) {
        let mut blocked = self.blocked.subscribe();
        blocked.wait_for(|blocked| *blocked >= count).await.unwrap();
    }
}

#[service]
impl Blocker {
    async fn at_once(&self, number: usize) -> usize {
        self.block();
        number
    }

    async fn later(&self, number: usize) -> usize {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.block();
        number
    }

    #[timeout("20ms", grace = "1ms")]
    async fn too_long(&self) -> u8 {
        self.block();
        1
    }
}

#[service]
async fn polite(number: usize) -> usize {
    tokio::task::yield_now().await;
    number
}

#[workflow]
async fn blocks(number: usize) -> Result<usize> {
    let blocker = new_service::<BlockerStub>();
    let (one, two) = join!(blocker.at_once(number), blocker.later(number));
    Ok(one? + two?)
}

#[workflow]
async fn goes_on(number: usize) -> Result<usize> {
    let mut sum = 0;
    for _ in 0..3 {
        sum += new_service::<polite>().polite(number).await?;
        timer(Duration::from_millis(1)).await;
        sum += step("one", || async { Ok::<_, Error>(1) }).await?;
    }
    Ok(sum)
}

#[test]
fn services_that_block_their_threads_hold_nobody_else() {
    let temp = tempfile::tempdir().unwrap();
    let worker = Worker::embedded(temp.path().join("data")).unwrap();
    let blocker = Blocker::default();
    let worker = worker.service(blocker.clone()).service(polite);
    run(with_worker(
        worker.workflow(blocks).workflow(goes_on),
        async |client| {
            let blocks = client.new_workflow::<blocks>();
            let starts = (0..10).map(|number| blocks.blocks(number));
            let blocked = client.dispatch_many(starts).await.unwrap();
            // Many more than there are threads.
            blocker.until_blocked(20).await;
            let goes_on = client.new_workflow::<goes_on>();
            let starts = (0..50).map(|number| goes_on.goes_on(number));
            let others = client.dispatch_many(starts).await.unwrap();
            for (number, run) in others.into_iter().enumerate() {
                assert_eq!(run.await.unwrap(), 3 * number + 3);
            }
            for run in &blocked {
                assert_eq!(run.state().await.unwrap().status, Status::Running);
            }
            blocker.release();
            for (number, run) in blocked.into_iter().enumerate() {
                assert_eq!(run.await.unwrap(), 2 * number);
            }
        },
    ));
}

#[workflow]
async fn gives_up() -> Result<u8, Failure> {
    Ok(new_service::<BlockerStub>().too_long().await?)
}

#[test]
fn a_blocked_attempt_that_took_too_long_is_a_timeout() {
    let temp = tempfile::tempdir().unwrap();
    let worker = Worker::embedded(temp.path().join("data")).unwrap();
    let blocker = Blocker::default();
    let worker = worker.service(blocker.clone()).workflow(gives_up);
    run(with_worker(worker, async |client| {
        let run = client.new_workflow::<gives_up>().gives_up().dispatch();
        let run = run.await.unwrap();
        blocker.until_blocked(1).await;
        // Its limit runs out meanwhile.
        tokio::time::sleep(Duration::from_millis(25)).await;
        blocker.release();
        let failure = run.await.unwrap_err().error().unwrap();
        assert_eq!(failure.kind(), FailureKind::TimedOut);
    }));
}
