//! Hostile surroundings: each ends in a clear error, and nothing else suffers. Real disks, real
//! processes, real threads that are blocked.
//!
//! What happens to the store's files (flipped bits, torn tails, a full disk while it writes) is in the
//! tests of the runtime; here a whole worker meets it.
#![allow(clippy::unwrap_used)]

mod code;
mod deadly;
mod directory;
mod payloads;

use std::time::{Duration, Instant};

use infinitic::prelude::*;

/// What does not happen within this time does not happen.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs a worker while `body` does.
async fn run<T>(worker: Worker, body: impl AsyncFnOnce(&Client) -> T) -> T {
    let client = worker.client();
    let mut result = None;
    let body = async { result = Some(body(&client).await) };
    let limited = async {
        assert!(
            tokio::time::timeout(PATIENCE, body).await.is_ok(),
            "it hangs"
        );
    };
    worker.run_until(limited).await.unwrap();
    result.unwrap()
}

/// Waits until an instance stands still, and gives the explanation.
async fn until_stopped<T, E>(run: &Run<T, E>) -> String {
    let since = Instant::now();
    loop {
        let state = run.state().await.unwrap();
        if let Some(stopped) = state.stopped {
            return stopped.message;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "it never stood still: {state:?}"
        );
        tokio::task::yield_now().await;
    }
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}
