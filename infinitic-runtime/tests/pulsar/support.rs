//! Connections, topics and messages for tests.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_runtime::clock::random_bits;
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::cluster::transport::{
    Acknowledge, Delivery, Reader, Reading, SendError, Topic, Transport, Window,
};
use infinitic_runtime::pulsar::{PulsarSettings, PulsarTransport};

pub(crate) const ALONE: Reading = Reading::Alone { rank: 1 };

pub(crate) const WIDE: Window = Window {
    messages: 10_000,
    bytes: 64 << 20,
};

/// Where a broker is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) broker: String,
    pub(crate) admin: String,
}

/// The broker to test with, unless there is none.
pub(crate) fn given() -> Option<Place> {
    let place = || {
        Some(Place {
            broker: std::env::var("INFINITIC_PULSAR_URL").ok()?,
            admin: std::env::var("INFINITIC_PULSAR_ADMIN_URL").ok()?,
        })
    };
    let found = place();
    if found.is_none() {
        eprintln!(
            "LEFT OUT: a test on Pulsar; set INFINITIC_PULSAR_URL, INFINITIC_PULSAR_ADMIN_URL"
        );
    }
    found
}

impl Place {
    /// Settings with a prefix of their own.
    pub(crate) fn settings(&self) -> PulsarSettings {
        let mut settings = PulsarSettings::new(&self.broker, &self.admin);
        settings.tenant = "infinitic-tests".to_owned();
        settings.namespace = "pulsar".to_owned();
        settings.prefix = Some(format!("{:016x}", random_bits()));
        settings
    }

    /// An answer of the REST interface.
    pub(crate) async fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        let url = format!("{}/admin/v2/{path}", self.admin);
        let asked = reqwest::Client::new().request(method, url).send().await;
        asked.expect("the REST interface answers")
    }

    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        let answer = self.ask(reqwest::Method::GET, path).await;
        answer.json().await.expect("it is JSON")
    }
}

pub(crate) async fn connect(settings: &PulsarSettings) -> Arc<dyn Transport> {
    let connected = Box::pin(PulsarTransport::connect(settings.clone())).await;
    Arc::new(connected.expect("Pulsar is there"))
}

/// The error of a connection that cannot be made.
pub(crate) async fn refused(settings: &PulsarSettings) -> String {
    let connected = Box::pin(PulsarTransport::connect(settings.clone())).await;
    format!("{:?}", connected.expect_err("this must be refused"))
}

pub(crate) fn tasks() -> Topic {
    Topic::Tasks(ServiceName::known("Service"))
}

pub(crate) async fn inbox(transport: &dyn Transport) -> Topic {
    let workflow = WorkflowName::known("Workflow");
    assert_eq!(transport.inboxes(&workflow, 1).await, Ok(1));
    Topic::Inbox(Part {
        workflow,
        number: 0,
    })
}

/// Path of that inbox in the REST interface.
pub(crate) fn inbox_path(settings: &PulsarSettings) -> String {
    let prefix = settings.prefix.as_deref().unwrap_or_default();
    let (tenant, namespace) = (&settings.tenant, &settings.namespace);
    format!("persistent/{tenant}/{namespace}/{prefix}.workflow-engine%3AWorkflow-partition-0")
}

/// Path of those tasks in the REST interface.
pub(crate) fn tasks_path(settings: &PulsarSettings) -> String {
    let prefix = settings.prefix.as_deref().unwrap_or_default();
    let (tenant, namespace) = (&settings.tenant, &settings.namespace);
    format!("persistent/{tenant}/{namespace}/{prefix}.task-executor%3AService")
}

pub(crate) async fn open(
    transport: &dyn Transport,
    topic: &Topic,
    reading: Reading,
) -> (Box<dyn Reader>, Box<dyn Acknowledge>) {
    let reader = transport.read(topic, reading, WIDE).await;
    let reader = reader.expect("it can be read");
    let acknowledger = reader.acknowledger();
    (reader, acknowledger)
}

pub(crate) async fn within<F: Future>(longest: Duration, future: F) -> F::Output {
    let answer = tokio::time::timeout(longest, future).await;
    answer.expect("this ends in time")
}

pub(crate) fn number(delivery: &Delivery) -> u32 {
    let bytes = delivery.payload[..4].try_into();
    u32::from_be_bytes(bytes.expect("four bytes"))
}

pub(crate) fn payload(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// Sends numbered messages, one each `pause`, until told to stop; gives how many, all with their
/// receipts.
pub(crate) fn send_on(
    transport: Arc<dyn Transport>,
    topic: Topic,
    pause: Duration,
    mut stop: tokio::sync::oneshot::Receiver<()>,
) -> tokio::task::JoinHandle<u32> {
    tokio::spawn(async move {
        let mut receipts = tokio::task::JoinSet::new();
        let mut ticks = tokio::time::interval(pause);
        let mut sent = 0;
        while stop.try_recv().is_err() {
            ticks.tick().await;
            transport.ready().await;
            receipts.spawn(transport.send(&topic, payload(sent)));
            sent += 1;
        }
        while let Some(receipt) = receipts.join_next().await {
            assert_eq!(receipt.expect("no panic"), Ok::<(), SendError>(()));
        }
        sent
    })
}

/// What came to a reader.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) numbers: BTreeSet<u32>,
    pub(crate) again: u32,
    /// Messages that came for the first time after one that was sent later.
    pub(crate) late: u32,
    pub(crate) longest_gap: Duration,
    pub(crate) gap_end: Instant,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            numbers: BTreeSet::new(),
            again: 0,
            late: 0,
            longest_gap: Duration::ZERO,
            gap_end: Instant::now(),
        }
    }
}

impl Seen {
    pub(crate) fn note(&mut self, delivery: &Delivery) {
        let number = number(delivery);
        let highest = self.numbers.last().copied();
        if !self.numbers.insert(number) {
            self.again += 1;
        } else if highest.is_some_and(|highest| highest > number) {
            self.late += 1;
        }
    }

    /// Reads and acknowledges until `last` says how many there are, and they are there.
    pub(crate) async fn read_until(
        &mut self,
        reader: &mut dyn Reader,
        last: tokio::task::JoinHandle<u32>,
    ) -> u32 {
        let acknowledger = reader.acknowledger();
        let mut last = Some(last);
        let mut count = u32::MAX;
        let mut before = Instant::now();
        while u32::try_from(self.numbers.len()).expect("few") < count {
            tokio::select! {
                given = reader.next(100) => {
                    let given = given.expect("the transport is open");
                    if before.elapsed() > self.longest_gap {
                        self.longest_gap = before.elapsed();
                        self.gap_end = Instant::now();
                    }
                    before = Instant::now();
                    for delivery in &given {
                        self.note(delivery);
                    }
                    let tags: Vec<u64> = given.iter().map(|one| one.tag).collect();
                    acknowledger.acknowledge(&tags);
                }
                sent = async { last.as_mut().expect("once").await }, if last.is_some() => {
                    count = sent.expect("the sender does not panic");
                    last = None;
                }
            }
        }
        count
    }

    pub(crate) fn assert_complete(&self, count: u32) {
        let all: BTreeSet<u32> = (0..count).collect();
        let missing: Vec<&u32> = all.difference(&self.numbers).take(10).collect();
        assert!(missing.is_empty(), "missing of {count}: {missing:?}");
        assert_eq!(self.late, 0, "none before one that was sent earlier");
    }
}
