//! Topics of clients that are gone.

use std::time::{Duration, Instant};

use infinitic_runtime::cluster::transport::Topic;

use crate::broker::Broker;
use crate::support::{ALONE, connect, open, payload, within};

/// A client that crashed leaves nothing: its backlog expires, then its topic goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_gone_leave_nothing() {
    let often = [
        "brokerDeleteInactiveTopicsEnabled=true",
        "brokerDeleteInactiveTopicsFrequencySeconds=5",
        "messageExpiryCheckIntervalInMinutes=1",
        "managedLedgerMinLedgerRolloverTimeMinutes=0",
    ];
    let Some(broker) = Broker::start(&often).await else {
        return;
    };
    let mut settings = broker.place.settings();
    settings.policies.transient_ttl_seconds = 5;
    settings.policies.transient_inactive_seconds = 5;
    let worker = connect(&settings).await;
    let replies = Topic::Replies("gone".to_owned());
    // Its own threads, so that it can end as a crash would: nothing acknowledged, nothing closed.
    let crashing = tokio::runtime::Runtime::new().expect("threads");
    let client = crashing.spawn({
        let (settings, worker, replies) = (settings.clone(), worker.clone(), replies.clone());
        async move {
            let client = connect(&settings).await;
            let (mut reader, acknowledger) = open(&*client, &replies, ALONE).await;
            worker.send(&replies, payload(0)).await.expect("sent");
            assert_eq!(reader.next(1).await.expect("open").len(), 1);
            (client, reader, acknowledger)
        }
    });
    let client = within(Duration::from_secs(60), client)
        .await
        .expect("no panic");
    crashing.shutdown_background();
    drop(client);
    worker.close().await;

    let begun = Instant::now();
    let path = "persistent/infinitic-tests/pulsar-transient";
    loop {
        let topics = broker.place.get(path).await;
        if topics.as_array().is_some_and(Vec::is_empty) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "still there: {topics}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eprintln!("a crashed client's topic went after {:?}", begun.elapsed());
}
