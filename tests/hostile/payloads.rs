//! Values that do not decode, and values that are large.

use infinitic::prelude::*;

use crate::{assert_says, run};

/// How a caller of another version sees the same workflow and task: only its names are used.
#[allow(dead_code)]
mod elsewhere {
    use infinitic::prelude::*;

    #[workflow(name = "adder")]
    pub(crate) async fn add(numbers: Vec<String>) -> Result<String> {
        Ok(numbers.concat())
    }

    #[service(name = "sums")]
    pub(crate) trait TextSums {
        async fn sum(&self, numbers: Vec<String>) -> Result<String>;
        async fn describe(&self, number: u64) -> Result<u64>;
    }
}

#[workflow(name = "adder")]
async fn add(numbers: Vec<u64>) -> Result<String> {
    Ok(numbers.iter().sum::<u64>().to_string())
}

#[service(name = "sums")]
trait Sums {
    async fn sum(&self, numbers: Vec<u64>) -> Result<u64>;
    async fn describe(&self, number: u64) -> Result<String>;
}

struct Calculator;

#[service]
impl Sums for Calculator {
    #[retry(max_attempts = 9, initial = "1h")]
    async fn sum(&self, numbers: Vec<u64>) -> Result<u64> {
        Ok(numbers.iter().sum())
    }

    async fn describe(&self, number: u64) -> Result<String> {
        Ok(format!("the number {number}"))
    }
}

#[workflow]
async fn asks_wrongly(result: bool) -> Result<()> {
    let sums = new_service::<elsewhere::TextSumsStub>();
    if result {
        sums.describe(3).await?;
    } else {
        sums.sum(vec!["one".to_owned()]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn arguments_and_results_that_do_not_decode_fail_at_once_and_alone() {
    let worker = Worker::in_memory()
        .service(Calculator)
        .workflow(add)
        .workflow(asks_wrongly);
    run(worker, async |client| {
        let words = vec!["one".to_owned()];
        let failure = client
            .new_workflow::<elsewhere::add>()
            .add(words)
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Undecodable);
        assert_says(failure.message(), &["numbers", "u64", "one"]);
        // No retry, though the task's policy has some: no other attempt would decode it.
        let wrongly = client.new_workflow::<asks_wrongly>();
        let failure = wrongly.asks_wrongly(false).await.unwrap_err();
        assert_says(&format!("{failure:?}"), &["sum", "numbers", "u64", "one"]);
        let failure = wrongly.asks_wrongly(true).await.unwrap_err();
        assert_says(&format!("{failure:?}"), &["u64", "the number 3"]);
        let sum = client.new_workflow::<add>().add(vec![1, 2]).await;
        assert_eq!(sum.unwrap(), "3");
    })
    .await;
}

#[service]
async fn echo(text: String) -> Result<String> {
    Ok(text)
}

#[workflow]
async fn carries(text: String) -> Result<String> {
    Ok(new_service::<echo>().echo(text).await?)
}

#[tokio::test]
async fn ten_megabytes_go_through_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let large: String = "0123456789".repeat(1 << 20);
    let worker = |dir| {
        Worker::embedded(dir)
            .unwrap()
            .service(echo)
            .workflow(carries)
    };
    let id = run(worker(dir.path()), async |client| {
        let carries = client.new_workflow::<carries>();
        let started = carries.carries(large.clone()).dispatch().await.unwrap();
        assert!((&started).await.unwrap() == large, "it came back changed");
        started.id()
    })
    .await;
    run(worker(dir.path()), async |client| {
        let text = client.attach::<String, Error>(id).await.unwrap();
        assert!(text == large, "it was stored changed");
    })
    .await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_to_the_one_who_sends_it() {
    let worker = Worker::in_memory().service(echo).workflow(carries);
    run(worker, async |client| {
        let carries = client.new_workflow::<carries>();
        let error = carries
            .carries("x".repeat(65 << 20))
            .dispatch()
            .await
            .unwrap_err();
        assert_says(&error.to_string(), &["limit"]);
        assert_eq!(carries.carries("small".to_owned()).await.unwrap(), "small");
    })
    .await;
}
