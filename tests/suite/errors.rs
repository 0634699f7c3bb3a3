//! Errors: typed from the task to the workflow and to the client, with all that led to them.

use std::num::ParseIntError;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::env::{Env, assert_says, chain, failed};
use crate::lab::{Refusal, TestLab, lab, name};

on_all_backends! {
    the_users_own_enum_arrives_typed,
    the_cause_chain_reaches_the_client,
    fatal_variants_are_not_tried_again,
    variants_set_the_pause_and_bring_retries_along,
    foreign_errors_arrive_in_words,
    the_catch_all_takes_any_error,
    a_failure_may_be_passed_on_as_it_is,
    errors_survive_restarts,
    errors_are_values_that_workflows_look_into,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, TaskError)]
enum PaymentError {
    #[error("declined: {reason}")]
    #[fatal]
    Declined { reason: String, codes: Vec<u8> },
    #[error("bank busy")]
    #[retry(after = "20ms")]
    Busy,
    #[error("line cut: {0}")]
    Line(String),
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize, TaskError)]
enum OrderError {
    #[error("cannot be paid: {0}")]
    Payment(#[from] PaymentError),
    #[error("no stock of {0}")]
    Stock(String),
    #[error(transparent)]
    Call(#[from] Failure),
}

#[service]
trait Payments {
    async fn charge(&self, card: String) -> Result<u64, PaymentError>;
}

#[derive(Clone, Default)]
struct Bank {
    lab: TestLab,
}

#[service]
impl Payments for Bank {
    #[retry(max_attempts = 3, initial = "10ms", jitter = 0.0)]
    async fn charge(&self, card: String) -> Result<u64, PaymentError> {
        self.lab.log.push(&card);
        match card.as_str() {
            "stolen" => Err(PaymentError::Declined {
                reason: "stolen".to_owned(),
                codes: vec![1, 2],
            }),
            "panic" => panic!("the bank burns"),
            "line" => Err(PaymentError::Line(format!("{}", task::attempt()))),
            _ => Ok(5),
        }
    }
}

#[workflow]
async fn order(card: String) -> Result<u64, OrderError> {
    if card.is_empty() {
        return Err(OrderError::Stock(name("tea")));
    }
    Ok(new_service::<PaymentsStub>().charge(card).await?)
}

fn declined() -> PaymentError {
    PaymentError::Declined {
        reason: "stolen".to_owned(),
        codes: vec![1, 2],
    }
}

async fn the_users_own_enum_arrives_typed(env: &Env) {
    let host = |worker: Worker| worker.service(Bank::default()).workflow(order);
    env.run(host, async |client| {
        let orders = client.new_workflow::<order>();
        let failure = failed(orders.order(name("stolen")).await);
        assert_eq!(failure.kind(), FailureKind::Failed);
        assert_eq!(failure.error(), Some(OrderError::Payment(declined())));
        // On purpose or by `?` is the same thing.
        let failure = failed(orders.order(name("")).await);
        assert_eq!(failure.error(), Some(OrderError::Stock(name("tea"))));
        // Whatever is not the callee's own error.
        let failure = failed(orders.order(name("panic")).await);
        let Some(OrderError::Call(panic)) = failure.error() else {
            panic!("{failure:?}");
        };
        assert_eq!(panic.kind(), FailureKind::Panicked);
        assert_says(panic.message(), &["the bank burns"]);
    })
    .await;
}

async fn the_cause_chain_reaches_the_client(env: &Env) {
    let bank = Bank::default();
    let host = |worker: Worker| worker.name("till").service(bank.clone()).workflow(order);
    env.run(host, async |client| {
        let run = client
            .new_workflow::<order>()
            .order(name("line"))
            .dispatch();
        let run = run.await.unwrap();
        let failure = failed((&run).await);
        assert_eq!(failure.instance_id(), Some(run.id()));
        let line = PaymentError::Line(name("2"));
        assert_eq!(failure.error(), Some(OrderError::Payment(line.clone())));

        let cause = failure.cause().expect("the task's failure is the cause");
        assert_eq!(cause.error_as::<PaymentError>(), Some(line));
        assert_eq!(cause.kind(), FailureKind::Failed);
        assert_eq!(cause.task_id().unwrap().instance, run.id());
        assert_eq!(cause.worker(), Some("till"));
        assert_eq!(cause.attempts(), 3);
        assert_eq!(cause.previous(), ["line cut: 0", "line cut: 1"]);

        let chain = chain(&failure);
        assert_says(&chain[0], &["order", "cannot be paid: line cut: 2"]);
        let story = chain.join(" | ");
        assert_says(story, &["Payments.charge", "3 attempts"]);
        assert_says(format!("{failure:?}"), &["Payments.charge"]);
    })
    .await;
}

async fn fatal_variants_are_not_tried_again(env: &Env) {
    let bank = Bank::default();
    let host = |worker: Worker| worker.service(bank.clone()).workflow(order);
    env.run(host, async |client| {
        let failure = failed(client.new_workflow::<order>().order(name("stolen")).await);
        assert_eq!(failure.cause().unwrap().attempts(), 1);
        assert_eq!(bank.lab.log.count("stolen"), 1);
    })
    .await;
}

#[service]
async fn busy() -> Result<u32, PaymentError> {
    // Nothing is said of retries but by the error.
    if task::attempt() < 2 {
        return Err(PaymentError::Busy);
    }
    Ok(task::attempt())
}

#[workflow]
async fn waits_for_bank() -> Result<(u32, u64)> {
    let since = now();
    let attempt = new_service::<busy>().busy().await?;
    let took = now().since(since).as_millis();
    Ok((attempt, u64::try_from(took)?))
}

async fn variants_set_the_pause_and_bring_retries_along(env: &Env) {
    let host = |worker: Worker| worker.service(busy).workflow(waits_for_bank);
    env.run(host, async |client| {
        let waited = client.new_workflow::<waits_for_bank>().waits_for_bank();
        let (attempt, took) = waited.await.unwrap();
        assert_eq!(attempt, 2);
        assert!((40..5_000).contains(&took), "{took} ms");
    })
    .await;
}

#[service]
async fn parse(text: String) -> Result<i32, ParseIntError> {
    text.parse()
}

#[workflow]
async fn parses(text: String) -> Result<i32, ParseIntError> {
    let parsed = new_service::<parse>().parse(text.clone()).await;
    match parsed {
        Ok(number) => Ok(number),
        Err(failure) => {
            // It has no type any more, but its words.
            let words = format!("{:?} {}", failure.error().is_some(), failure.message());
            assert_eq!(words, "false invalid digit found in string");
            assert_eq!(failure.record().name, "ParseIntError");
            text.parse()
        }
    }
}

async fn foreign_errors_arrive_in_words(env: &Env) {
    let host = |worker: Worker| worker.service(parse).workflow(parses);
    env.run(host, async |client| {
        let parses = client.new_workflow::<parses>();
        assert_eq!(parses.parses(name("17")).await.unwrap(), 17);
        let failure = failed(parses.parses(name("x7")).await);
        assert_eq!(failure.kind(), FailureKind::Failed);
        assert!(failure.error().is_none());
        assert_eq!(failure.message(), "invalid digit found in string");
    })
    .await;
}

#[workflow]
async fn anything(kind: u8) -> Result<String> {
    match kind {
        0 => Ok("12a".parse::<u8>()?.to_string()),
        1 => Err(Error::msg("just words")),
        2 => Ok(lab().refuse(name("no")).await?),
        _ => Ok(lab().echo(name("fine")).await?),
    }
}

async fn the_catch_all_takes_any_error(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(anything);
    env.run(host, async |client| {
        let anything = client.new_workflow::<anything>();
        let says = async |kind| failed(anything.anything(kind).await);
        assert_eq!(says(0).await.message(), "invalid digit found in string");
        assert_eq!(says(1).await.message(), "just words");
        let failure = says(2).await;
        assert_says(&failure, &["refused: no"]);
        let cause = failure.cause().expect("a task led to it");
        assert_eq!(
            cause.error_as::<Refusal>(),
            Some(Refusal::Asked(name("no")))
        );
        assert_eq!(anything.anything(3).await.unwrap(), "fine");
    })
    .await;
}

#[workflow]
async fn passes_on() -> Result<String, Failure> {
    Ok(lab().refuse(name("no")).await?)
}

async fn a_failure_may_be_passed_on_as_it_is(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(passes_on);
    env.run(host, async |client| {
        let failure = failed(client.new_workflow::<passes_on>().passes_on().await);
        let inner = failure.error().expect("a failure travels typed");
        assert_eq!(
            inner.error_as::<Refusal>(),
            Some(Refusal::Asked(name("no")))
        );
        assert_says(chain(&failure).join(" | "), &["Lab.refuse", "refused: no"]);
    })
    .await;
}

async fn errors_survive_restarts(env: &Env) {
    let host = |worker: Worker| worker.service(Bank::default()).workflow(order);
    let started = env.run(host, async |client| {
        let run = client
            .new_workflow::<order>()
            .order(name("line"))
            .dispatch();
        let run = run.await.unwrap();
        (run.id(), failed((&run).await))
    });
    let (id, before) = started.await;
    env.run(host, async |client| {
        let after = failed(client.attach::<u64, OrderError>(id).await);
        assert_eq!(after.error(), before.error());
        assert_eq!(after.record(), before.record());
        assert_eq!(after.cause().unwrap().attempts(), 3);
    })
    .await;
}

#[workflow]
async fn looks_closely() -> Result<String> {
    match lab().refuse(name("closed")).await {
        Ok(text) => Ok(text),
        Err(failure) => match failure.error() {
            Some(Refusal::Asked(why)) => Ok(format!("asked: {why}, {}", failure.attempts())),
            Some(Refusal::Early(_)) | None => Err(Error::msg("not what was expected")),
        },
    }
}

async fn errors_are_values_that_workflows_look_into(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(looks_closely);
    env.run(host, async |client| {
        let looked = client.new_workflow::<looks_closely>().looks_closely();
        assert_eq!(looked.await.unwrap(), "asked: closed, 1");
    })
    .await;
}
