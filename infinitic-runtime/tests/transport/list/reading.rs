//! How a reader gives what it has.

use bytes::Bytes;
use infinitic_runtime::cluster::transport::{Reading, Window};

use crate::bed::{Bed, in_time, numbers, read, read_within, send, tags, texts};

const ALONE: Reading = Reading::Alone { rank: 1 };

pub(crate) async fn stays_within_its_window(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let window = Window {
        messages: 3,
        bytes: 1 << 20,
    };
    for text in numbers(0..10) {
        send(&*transport, &inbox, &text).await;
    }
    let mut reads = read_within(&*transport, &inbox, ALONE, window).await;
    let taken = reads.take(3).await;
    reads.expect_nothing().await;
    reads.acknowledger.acknowledge(&[taken[1].tag]);
    assert_eq!(texts(&reads.take(1).await), ["3"]);
    reads.expect_nothing().await;
    reads
        .acknowledger
        .acknowledge(&[taken[0].tag, taken[2].tag]);
    assert_eq!(texts(&reads.take(2).await), ["4", "5"]);
    reads.expect_nothing().await;
}

pub(crate) async fn stays_within_its_bytes(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let window = Window {
        messages: 1_000,
        bytes: 250_000,
    };
    let mut reads = read_within(&*transport, &inbox, ALONE, window).await;
    for number in 0..10 {
        let payload = Bytes::from(vec![number; 100_000]);
        assert_eq!(in_time(transport.send(&inbox, payload)).await, Ok(()));
    }
    // The message that goes over the edge is given too: one larger than the window must pass.
    let held = reads.take(3).await;
    reads.expect_nothing().await;
    reads.acknowledger.acknowledge(&tags(&held));
    reads.take(3).await;
}

pub(crate) async fn gives_what_is_there(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    for text in numbers(0..50) {
        send(&*transport, &inbox, &text).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let given = in_time(reads.reader.next(7))
            .await
            .expect("the transport is open");
        assert!((1..=7).contains(&given.len()));
        seen.extend(texts(&given));
    }
    assert_eq!(seen, numbers(0..50));
}

pub(crate) async fn dropped_waits_lose_nothing(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    let mut seen = Vec::new();
    for text in numbers(0..100) {
        let receipt = transport.send(&inbox, Bytes::from(text));
        // Whichever ends first, the other is dropped in the middle.
        tokio::select! {
            given = reads.reader.next(1) => seen.extend(texts(&given.expect("open"))),
            sent = receipt => assert_eq!(sent, Ok(())),
        }
    }
    let missing = 100 - seen.len();
    seen.extend(texts(&reads.take(missing).await));
    assert_eq!(seen, numbers(0..100));
}

pub(crate) async fn acknowledges_from_elsewhere(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    for text in numbers(0..20) {
        send(&*transport, &inbox, &text).await;
    }
    let taken = reads.take(20).await;
    let workers: Vec<_> = taken
        .chunks(5)
        .map(|chunk| {
            let (acknowledger, tags) = (reads.reader.acknowledger(), tags(chunk));
            tokio::spawn(async move { acknowledger.acknowledge(&tags) })
        })
        .collect();
    for worker in workers {
        worker.await.expect("the transport is open");
    }
    reads.close().await;
    let mut next = read(&*transport, &inbox, ALONE).await;
    next.expect_nothing().await;
}
