//! Messages on their way to the broker.

use bytes::Bytes;
use infinitic_runtime::cluster::transport::{Reading, SendError};

use crate::bed::{Bed, in_time, numbers, read, send};

const ALONE: Reading = Reading::Alone { rank: 1 };

pub(crate) async fn keeps_order(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut receipts = Vec::new();
    for text in numbers(0..500) {
        in_time(transport.ready()).await;
        receipts.push(transport.send(&inbox, Bytes::from(text)));
    }
    let mut reads = read(&*transport, &inbox, ALONE).await;
    assert_eq!(reads.settle(500).await, numbers(0..500));
    for receipt in receipts {
        assert_eq!(in_time(receipt).await, Ok(()));
    }
}

pub(crate) async fn refuses_what_is_too_large(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    let large = Bytes::from(vec![7; 6 << 20]);
    let sent = in_time(transport.send(&inbox, large.clone())).await;
    let Err(SendError::TooLarge { bytes, max }) = sent else {
        panic!("too large: {sent:?}");
    };
    assert!(bytes == large.len() && max < bytes && max > 4 << 20);
    let fits = Bytes::from(vec![8; max]);
    assert_eq!(
        in_time(transport.send(&inbox, fits.clone())).await,
        Ok(()),
        "others are not disturbed"
    );
    assert_eq!(reads.take(1).await[0].payload, fits);
}

pub(crate) async fn takes_empty_messages(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    send(&*transport, &inbox, "").await;
    assert_eq!(reads.settle(1).await, [""]);
}

pub(crate) async fn counts(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    send(&*transport, &inbox, "four").await;
    send(&*transport, &inbox, "seven").await;
    reads.settle(2).await;
    let counters = transport.counters();
    assert_eq!(counters.sent, 2);
    assert_eq!(counters.received, 2);
    assert_eq!(counters.bytes_sent, 9);
}

pub(crate) async fn ends_when_closed(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    send(&*transport, &inbox, "settled").await;
    send(&*transport, &inbox, "open").await;
    let taken = reads.take(2).await;
    reads.acknowledger.acknowledge(&[taken[0].tag]);
    in_time(transport.close()).await;
    assert!(in_time(reads.reader.next(1)).await.is_none());
    let sent = in_time(transport.send(&inbox, Bytes::from_static(b"late"))).await;
    assert_eq!(sent, Err(SendError::Closed));
    drop(reads);

    let other = bed.connect();
    let mut reads = read(&*other, &inbox, ALONE).await;
    assert_eq!(reads.settle(1).await, ["open"]);
    reads.expect_nothing().await;
}

pub(crate) async fn sends_from_many_tasks(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    let mut reads = read(&*transport, &inbox, ALONE).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let (transport, inbox) = (transport.clone(), inbox.clone());
        tasks.spawn(async move {
            for number in 0..25 {
                send(&*transport, &inbox, &format!("{task} {number:02}")).await;
            }
        });
    }
    let mut texts = reads.settle(200).await;
    in_time(tasks.join_all()).await;
    for task in 0..8 {
        let own = texts.iter().filter(|t| t.starts_with(&task.to_string()));
        assert!(own.is_sorted(), "each task's order is kept");
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 200);
}
