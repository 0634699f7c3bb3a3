//! Clients in other processes: the local endpoint, its refusals, and waits that outlive a worker.

use std::net::TcpListener;
use std::time::Duration;

use infinitic::prelude::*;
use tokio::sync::oneshot;

use crate::env::Env;

on_all_backends! {
    a_remote_client_starts_waits_and_steers,
    a_remote_wait_survives_a_restart_of_the_worker,
    foreign_addresses_need_a_token_and_tokens_are_checked,
    nobody_there_is_a_clear_error,
}

#[workflow]
async fn doubles(number: u64) -> Result<u64> {
    if number == 0 {
        return Err(Error::msg("nothing to double"));
    }
    timer(Duration::from_millis(number)).await;
    Ok(2 * number)
}

/// An address that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn serve(worker: Worker, address: &str) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let worker = worker.workflow(doubles).listen(address);
    let (stop, stopped) = oneshot::channel();
    let run = worker.run_until(async {
        stopped.await.ok();
    });
    let running = tokio::spawn(async move { run.await.unwrap() });
    (stop, running)
}

async fn connected(address: &str) -> Client {
    loop {
        match Client::connect(&format!("http://{address}")).await {
            Ok(client) => return client,
            Err(ClientError::Unreachable { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_remote_client_starts_waits_and_steers(env: &Env) {
    let address = free_address();
    let (stop, running) = serve(env.worker().await, &address);
    let client = connected(&address).await;
    let doubler = client.new_workflow::<doubles>();
    assert_eq!(doubler.doubles(21).await.unwrap(), 42);
    let failure = doubler.doubles(0).await.unwrap_err();
    assert_eq!(failure.message(), "nothing to double");
    let starts = (1..=300).map(|number| doubler.doubles(number % 7 + 1));
    let runs = client.dispatch_many(starts).await.unwrap();
    for (run, number) in runs.iter().zip(1..=300_u64) {
        assert_eq!(run.await.unwrap(), 2 * (number % 7 + 1));
    }
    let long = doubler.doubles(3_600_000).dispatch().await.unwrap();
    assert_eq!(long.state().await.unwrap().status, Status::Running);
    let waited = long
        .clone()
        .timeout(Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(waited.kind(), FailureKind::TimedOut);
    long.cancel().await.unwrap();
    assert_eq!((&long).await.unwrap_err().kind(), FailureKind::Cancelled);
    stop.send(()).unwrap();
    running.await.unwrap();
}

async fn a_remote_wait_survives_a_restart_of_the_worker(env: &Env) {
    let address = free_address();
    let (stop, running) = serve(env.worker().await, &address);
    let client = connected(&address).await;
    let run = client
        .new_workflow::<doubles>()
        .doubles(300)
        .dispatch()
        .await
        .unwrap();
    let waiting = tokio::spawn(async move { run.await });
    stop.send(()).unwrap();
    running.await.unwrap();
    let (stop, running) = serve(env.worker().await, &address);
    assert_eq!(waiting.await.unwrap().unwrap(), 600);
    stop.send(()).unwrap();
    running.await.unwrap();
}

async fn foreign_addresses_need_a_token_and_tokens_are_checked(env: &Env) {
    let open = env.worker().await.workflow(doubles).listen("0.0.0.0:0");
    let refused = open.run_until(async {}).await.unwrap_err().to_string();
    assert!(
        refused.contains("loopback") && refused.contains("token"),
        "{refused}"
    );
    let address = free_address();
    let worker = env
        .worker()
        .await
        .workflow(doubles)
        .listen_with_token(&address, "secret");
    let (stop, stopped) = oneshot::channel::<()>();
    let run = worker.run_until(async {
        stopped.await.ok();
    });
    let running = tokio::spawn(async move { run.await.unwrap() });
    let client = loop {
        match Client::connect_with_token(&address, Some("secret")).await {
            Ok(client) => break client,
            Err(ClientError::Unreachable { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(
        client.new_workflow::<doubles>().doubles(2).await.unwrap(),
        4
    );
    for token in [None, Some("secreT"), Some("")] {
        let error = Client::connect_with_token(&address, token)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("token"), "{error}");
    }
    stop.send(()).unwrap();
    running.await.unwrap();
}

async fn nobody_there_is_a_clear_error(_: &Env) {
    let address = free_address();
    let error = Client::connect(&format!("http://{address}"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot reach the worker") && error.contains(&address),
        "{error}"
    );
    let error = Client::connect("http://a/b").await.unwrap_err().to_string();
    assert!(error.contains("write `http://127.0.0.1:9070`"), "{error}");
}
