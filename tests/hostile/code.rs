//! Code that blocks its thread, and code that never comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use infinitic::prelude::*;

use crate::{assert_says, run, until_stopped};

/// A door that blocks the threads before it until it is opened.
#[derive(Clone, Default)]
struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[service]
impl Door {
    async fn pass(&self, number: u32) -> Result<u32> {
        let (is_open, changed) = &*self.0;
        drop(
            changed
                .wait_while(is_open.lock().unwrap(), |is_open| !*is_open)
                .unwrap(),
        );
        Ok(number)
    }
}

#[service]
async fn quick(number: u32) -> Result<u32> {
    Ok(number + 1)
}

#[workflow]
async fn blocked(number: u32) -> Result<u32> {
    Ok(new_service::<DoorStub>().pass(number).await?)
}

#[workflow]
async fn unhindered(number: u32) -> Result<u32> {
    Ok(new_service::<quick>().quick(number).await?)
}

#[tokio::test]
async fn a_service_that_blocks_its_threads_holds_up_itself_alone() {
    let door = Door::default();
    let worker = Worker::in_memory()
        .service(door.clone())
        .service(quick)
        .workflow(blocked)
        .workflow(unhindered);
    run(worker, async |client| {
        let starts = (0..100).map(|number| client.new_workflow::<blocked>().blocked(number));
        let held = client.dispatch_many(starts).await.unwrap();
        for number in 0..200 {
            let unhindered = client.new_workflow::<unhindered>();
            assert_eq!(unhindered.unhindered(number).await.unwrap(), number + 1);
        }
        door.open();
        for (number, run) in (0..).zip(&held) {
            assert_eq!(run.await.unwrap(), number);
        }
    })
    .await;
}

/// Ends the thread that was given up, when the test is over.
static ENOUGH: AtomicBool = AtomicBool::new(false);

#[workflow]
async fn spins(forever: bool) -> Result<u32> {
    let number = new_service::<quick>().quick(1).await?;
    while forever && !ENOUGH.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
    timer(Duration::from_millis(1)).await;
    Ok(number)
}

#[tokio::test]
async fn a_workflow_that_loops_is_stopped_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let host = |worker: Worker| {
        worker
            .service(quick)
            .workflow(spins)
            .workflow(unhindered)
            .shards(1)
    };
    let worker = Worker::embedded(dir.path())
        .unwrap()
        .turn_limit(Duration::from_millis(500));
    let id = run(host(worker), async |client| {
        // One waits for its client when the thread is given up, one comes while it is stuck.
        let waiting = client
            .new_workflow::<spins>()
            .spins(false)
            .dispatch()
            .await
            .unwrap();
        let stuck = client
            .new_workflow::<spins>()
            .spins(true)
            .dispatch()
            .await
            .unwrap();
        let unhindered = client.new_workflow::<unhindered>();
        assert_eq!(unhindered.unhindered(1).await.unwrap(), 2);
        assert_eq!(waiting.await.unwrap(), 2);
        assert_says(
            &until_stopped(&stuck).await,
            &["500ms", "must not loop", "retry_turn"],
        );
        assert_eq!(unhindered.unhindered(2).await.unwrap(), 3);
        stuck.id()
    })
    .await;
    // Mended, it goes on by itself at the next start.
    ENOUGH.store(true, Ordering::Relaxed);
    run(
        host(Worker::embedded(dir.path()).unwrap()),
        async |client| {
            assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 2);
        },
    )
    .await;
}
