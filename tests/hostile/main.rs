//! Hostile surroundings: each gets a clear error, nothing is lost, and the others go on.
//!
//! Nothing is mocked: threads are blocked, stacks overflow, processes die, disks are full. What a
//! process does not survive is played by a child process, see [`child`].
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod child;
mod damage;
mod deadly;
mod directories;
mod full_disk;
#[path = "../suite/logs.rs"]
mod logs;
mod loops;
mod payloads;
mod threads;

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use infinitic::prelude::*;

/// A test that takes longer hangs.
const TEST_LIMIT: Duration = Duration::from_secs(50);

/// Runs the body of a test.
fn run<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(TEST_LIMIT, body).await });
    ended.unwrap_or_else(|_| panic!("the test did not end within {TEST_LIMIT:?}"))
}

/// Runs a worker while `body` does, then drains it.
async fn with_worker<T>(worker: Worker, body: impl AsyncFnOnce(&Client) -> T) -> T {
    let client = worker.client();
    let mut result = None;
    let body = async { result = Some(body(&client).await) };
    worker.run_until(body).await.unwrap();
    result.unwrap()
}

/// Waits until an instance stands so.
async fn until_status<T, E>(run: &Run<T, E>, wanted: Status) -> InstanceState {
    let since = Instant::now();
    loop {
        let state = run.state().await.unwrap();
        if state.status == wanted {
            return state;
        }
        let waited = since.elapsed();
        assert!(
            waited < Duration::from_secs(20),
            "not {wanted:?}: {state:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asserts that a text holds each of some parts.
#[track_caller]
fn assert_says(text: impl Display, parts: &[&str]) {
    let text = text.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
