//! How long a message takes through Pulsar, and how many pass: run by hand, optimised.
//!
//! `cargo run --release -p infinitic-runtime --features pulsar --example pulsar_speed`, with
//! `INFINITIC_PULSAR_URL` and `INFINITIC_PULSAR_ADMIN_URL` set.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::large_futures)]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_runtime::clock;
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::cluster::transport::{Reader, Reading, Topic, Transport, Window};
use infinitic_runtime::pulsar::{PulsarSettings, PulsarTransport};

const WINDOW: Window = Window {
    messages: 2_000,
    bytes: 64 << 20,
};

#[tokio::main]
async fn main() {
    let variable = |name| std::env::var(name).unwrap();
    let mut settings = PulsarSettings::new(
        variable("INFINITIC_PULSAR_URL"),
        variable("INFINITIC_PULSAR_ADMIN_URL"),
    );
    settings.prefix = Some(format!("speed-{:x}", clock::random_bits()));
    let transport = PulsarTransport::connect(settings).await.unwrap();
    let workflow = WorkflowName::known("Speed");
    transport.inboxes(&workflow, 1).await.unwrap();
    let inbox = Topic::Inbox(Part {
        workflow,
        number: 0,
    });
    let tasks = Topic::Tasks(ServiceName::known("Speed"));
    for (name, topic, reading) in [
        ("alone", inbox, Reading::Alone { rank: 1 }),
        ("shared", tasks, Reading::Shared),
    ] {
        let mut reader = transport.read(&topic, reading, WINDOW).await.unwrap();
        one_by_one(name, &transport, &topic, &mut *reader).await;
        for (count, bytes) in [(50_000, 500), (10_000, 20_000)] {
            many(name, &transport, &topic, &mut *reader, count, bytes).await;
        }
        reader.close().await;
    }
    transport.close().await;
}

async fn one_by_one(
    name: &str,
    transport: &PulsarTransport,
    topic: &Topic,
    reader: &mut dyn Reader,
) {
    let acknowledger = reader.acknowledger();
    let mut hops = Vec::new();
    for round in 0..1_100 {
        let begun = Instant::now();
        let receipt = transport.send(topic, Bytes::from(vec![1; 500]));
        let given = reader.next(10).await.unwrap();
        let taken = begun.elapsed();
        let receipt = receipt.await;
        receipt.unwrap();
        acknowledger.acknowledge(&[given[0].tag]);
        if round >= 100 {
            hops.push(taken);
        }
    }
    hops.sort();
    println!(
        "{name}: one by one, 500 bytes: hop p50 {:?}, p99 {:?}",
        hops[hops.len() / 2],
        hops[hops.len() * 99 / 100]
    );
}

async fn many(
    name: &str,
    transport: &PulsarTransport,
    topic: &Topic,
    reader: &mut dyn Reader,
    count: usize,
    bytes: usize,
) {
    let begun = Instant::now();
    let send = async {
        let payload = Bytes::from(vec![1; bytes]);
        let mut last = None;
        for _ in 0..count {
            transport.ready().await;
            last = Some(transport.send(topic, payload.clone()));
        }
        last.unwrap().await.unwrap();
        begun.elapsed()
    };
    let read = async {
        let acknowledger = reader.acknowledger();
        let mut seen = 0;
        while seen < count {
            let given = reader.next(256).await.unwrap();
            seen += given.len();
            let tags: Vec<u64> = given.iter().map(|delivery| delivery.tag).collect();
            acknowledger.acknowledge(&tags);
        }
        begun.elapsed()
    };
    let (sent, read) = tokio::join!(send, read);
    let rate = |taken: Duration| (count as f64 / taken.as_secs_f64()).round();
    println!(
        "{name}: {count} of {bytes} bytes: sent {}/s, read and acknowledged {}/s",
        rate(sent),
        rate(read)
    );
}
