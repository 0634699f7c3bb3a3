//! What only the broker in this process can be made to do.

use std::sync::Arc;

use bytes::Bytes;
use infinitic_core::names::ServiceName;
use infinitic_runtime::cluster::memory::transport::MemoryBroker;
use infinitic_runtime::cluster::transport::{Reading, Topic, Transport};

use crate::bed::{in_time, read, tags, texts};

#[tokio::test]
async fn an_absent_broker_takes_nothing_and_loses_nothing() {
    let broker = MemoryBroker::new();
    let transport: Arc<dyn Transport> = Arc::new(broker.transport());
    let tasks = Topic::Tasks(ServiceName::known("Mail"));
    let mut reads = read(&*transport, &tasks, Reading::Shared).await;
    for text in ["a", "b"] {
        let sent = transport.send(&tasks, Bytes::from_static(text.as_bytes()));
        assert_eq!(in_time(sent).await, Ok(()));
    }
    let held = reads.take(2).await;

    broker.go_away();
    let mut receipt = transport.send(&tasks, Bytes::from_static(b"c"));
    reads.acknowledger.acknowledge(&tags(&held));
    reads.expect_nothing().await;
    tokio::select! {
        biased;
        sent = &mut receipt => panic!("the broker is away: {sent:?}"),
        () = std::future::ready(()) => {}
    }

    broker.come_back();
    assert_eq!(in_time(receipt).await, Ok(()));
    let again = reads.take(3).await;
    assert_eq!(texts(&again), ["a", "b", "c"]);
    assert_eq!(again[0].redeliveries, 0, "no reader went away");
    reads.acknowledger.acknowledge(&tags(&again));
    assert_eq!(broker.backlog(&tasks), 0);
}

#[tokio::test]
async fn readers_that_die_are_counted() {
    let broker = MemoryBroker::new();
    let transport = broker.transport();
    let tasks = Topic::Tasks(ServiceName::known("Mail"));
    let sent = transport.send(&tasks, Bytes::from_static(b"deadly"));
    assert_eq!(in_time(sent).await, Ok(()));
    for died in 0..3 {
        let mut reads = read(&transport, &tasks, Reading::Shared).await;
        assert_eq!(reads.take(1).await[0].redeliveries, died);
        drop(reads);
    }
    let mut reads = read(&transport, &tasks, Reading::Shared).await;
    assert_eq!(reads.take(1).await[0].redeliveries, 3);
    reads.close().await;
    let mut reads = read(&transport, &tasks, Reading::Shared).await;
    assert_eq!(
        reads.take(1).await[0].redeliveries,
        3,
        "one that says so is not"
    );
}

#[tokio::test]
async fn room_runs_out_while_the_broker_is_away() {
    let broker = MemoryBroker::new();
    let transport = broker.transport();
    let tasks = Topic::Tasks(ServiceName::known("Mail"));
    broker.go_away();
    let mut receipts = Vec::new();
    let mut sent: usize = 0;
    while transport_has_room(&transport).await {
        receipts.push(transport.send(&tasks, Bytes::from_static(b"x")));
        sent += 1;
    }
    assert!(sent >= 100);
    broker.come_back();
    in_time(transport.ready()).await;
    assert_eq!(broker.backlog(&tasks), sent);
}

async fn transport_has_room(transport: &dyn Transport) -> bool {
    tokio::select! {
        biased;
        () = transport.ready() => true,
        () = std::future::ready(()) => false,
    }
}
