//! A broker that is killed, away for long, or frozen.

use std::cell::Cell;
use std::time::{Duration, Instant};

use infinitic_core::names::ServiceName;
use infinitic_runtime::cluster::transport::{Reading, Topic};

use crate::broker::Broker;
use crate::support::{ALONE, Seen, connect, inbox, open, payload, send_on, within};

const LONG: Duration = Duration::from_secs(180);

/// Messages under way through whatever `trouble` does: none is lost, none overtakes.
async fn go_through<T>(broker: &Broker, name: &str, trouble: T)
where
    T: Future<Output = ()>,
{
    let settings = broker.place.settings();
    let (sender, worker) = (connect(&settings).await, connect(&settings).await);
    let inbox = inbox(&*sender).await;
    let (mut reader, _) = open(&*worker, &inbox, ALONE).await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let sent = send_on(sender, inbox, Duration::from_millis(4), stopped);
    let over = Cell::new(None);
    let trouble = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        trouble.await;
        over.set(Some(Instant::now()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.send(()).expect("the sender waits for this");
    };
    let mut seen = Seen::default();
    let (count, ()) = within(LONG, async {
        tokio::join!(seen.read_until(&mut *reader, sent), trouble)
    })
    .await;
    seen.assert_complete(count);
    let over = over.get().expect("it is over");
    eprintln!(
        "{name}: {count} sent, {} came again, a gap of {:?}, to {:?} after it was over",
        seen.again,
        seen.longest_gap,
        seen.gap_end.saturating_duration_since(over)
    );
    within(LONG, reader.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_broker_is_killed() {
    let Some(broker) = Broker::start(&[]).await else {
        return;
    };
    go_through(&broker, "killed and started", async {
        broker.kill().await;
        broker.start_again().await;
    })
    .await;
    // Longer than the library's own patience with a message or a consumer.
    go_through(&broker, "away for 45 s", async {
        broker.kill().await;
        tokio::time::sleep(Duration::from_secs(45)).await;
        broker.start_again().await;
    })
    .await;
}

/// Connections stay open and nothing answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_broker_freezes() {
    let Some(broker) = Broker::start(&[]).await else {
        return;
    };
    go_through(&broker, "frozen for 60 s", async {
        broker.freeze(false).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        broker.freeze(true).await;
    })
    .await;
}

/// Rule 2: what is under way is bounded, and a closing transport does not wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_ends_while_the_broker_is_away() {
    let Some(broker) = Broker::start(&[]).await else {
        return;
    };
    let mut settings = broker.place.settings();
    settings.in_flight_messages = 20;
    let transport = connect(&settings).await;
    let tasks = Topic::Tasks(ServiceName::known("Service"));
    let (reader, _) = open(&*transport, &tasks, Reading::Shared).await;
    within(LONG, transport.send(&tasks, payload(0)))
        .await
        .expect("sent");
    broker.kill().await;
    let mut receipts = Vec::new();
    while tokio::time::timeout(Duration::from_secs(1), transport.ready())
        .await
        .is_ok()
    {
        receipts.push(transport.send(&tasks, payload(1)));
    }
    assert_eq!(receipts.len(), 20);
    within(Duration::from_secs(30), transport.close()).await;
    for receipt in receipts {
        let sent = within(Duration::from_secs(1), receipt).await;
        assert!(sent.is_err(), "closed before the broker had it");
    }
    within(Duration::from_secs(10), reader.close()).await;
}
