//! Topics with one reader at a time.

use infinitic_runtime::cluster::transport::Reading;

use crate::bed::{Bed, LONG, in_time, inbox, numbers, read, send, tags, texts};

fn rank(rank: u32) -> Reading {
    Reading::Alone { rank }
}

pub(crate) async fn goes_on_where_the_last_one_ended(bed: &Bed) {
    let transport = bed.connect();
    let inbox = bed.inbox(&*transport).await;
    for text in numbers(0..10) {
        send(&*transport, &inbox, &text).await;
    }
    let mut first = read(&*transport, &inbox, rank(1)).await;
    assert_eq!(first.settle(4).await, numbers(0..4));
    first.close().await;
    let mut second = read(&*transport, &inbox, rank(2)).await;
    assert_eq!(second.settle(6).await, numbers(4..10));
    second.expect_nothing().await;
}

pub(crate) async fn forgets_nothing_when_dropped(bed: &Bed) {
    let one = bed.connect();
    let inbox = bed.inbox(&*one).await;
    let mut first = read(&*one, &inbox, rank(1)).await;
    for text in numbers(0..6) {
        send(&*one, &inbox, &text).await;
    }
    let taken = first.take(4).await;
    first.acknowledger.acknowledge(&tags(&taken[1..2]));
    // What was acknowledged may come again when its reader is dropped, but nothing is missing.
    drop(first);
    let other = bed.connect();
    let mut second = read(&*other, &inbox, rank(2)).await;
    let mut seen = Vec::new();
    while !seen.contains(&"5".to_owned()) {
        seen.extend(second.settle(1).await);
    }
    seen.retain(|text| text != "1");
    assert_eq!(seen, ["0", "2", "3", "4", "5"]);
}

/// The first owner hangs: it neither reads nor acknowledges nor goes.
pub(crate) async fn higher_rank_takes_over(bed: &Bed) {
    let (old, new) = (bed.connect(), bed.connect());
    let inbox = bed.inbox(&*old).await;
    let mut hanging = read(&*old, &inbox, rank(7)).await;
    for text in numbers(0..5) {
        send(&*old, &inbox, &text).await;
    }
    let held = hanging.take(3).await;
    let mut owner = read(&*new, &inbox, rank(8)).await;
    for text in numbers(5..8) {
        send(&*new, &inbox, &text).await;
    }
    assert_eq!(owner.settle(8).await, numbers(0..8));
    // The old one wakes up: what it holds is settled already, and it gets no more.
    hanging.acknowledger.acknowledge(&tags(&held));
    send(&*old, &inbox, "last").await;
    assert_eq!(owner.settle(1).await, ["last"]);
}

pub(crate) async fn lower_rank_waits(bed: &Bed) {
    let (old, new) = (bed.connect(), bed.connect());
    let inbox = bed.inbox(&*old).await;
    let mut owner = read(&*old, &inbox, rank(8)).await;
    let mut late = read(&*new, &inbox, rank(7)).await;
    for text in numbers(0..5) {
        send(&*new, &inbox, &text).await;
    }
    assert_eq!(owner.settle(5).await, numbers(0..5));
    late.expect_nothing().await;
}

pub(crate) async fn falls_back_when_the_higher_leaves(bed: &Bed) {
    let (old, new) = (bed.connect(), bed.connect());
    let inbox = bed.inbox(&*old).await;
    let mut lower = read(&*old, &inbox, rank(1)).await;
    let mut higher = read(&*new, &inbox, rank(2)).await;
    send(&*old, &inbox, "first").await;
    let taken = higher.take(1).await;
    assert_eq!(texts(&taken), ["first"]);
    higher.close().await;
    assert_eq!(lower.settle(1).await, ["first"]);
}

pub(crate) async fn each_inbox_is_its_own(bed: &Bed) {
    let transport = bed.connect();
    let workflow = bed.workflow();
    let made = in_time(transport.inboxes(&workflow, 3)).await;
    assert_eq!(made, Ok(3));
    for number in 0..3 {
        let to = inbox(&workflow, number);
        send(&*transport, &to, &number.to_string()).await;
    }
    for number in (0..3).rev() {
        let from = inbox(&workflow, number);
        let mut reads = read(&*transport, &from, rank(1)).await;
        let taken = tokio::time::timeout(LONG, reads.settle(1)).await;
        assert_eq!(taken.expect("in time"), [number.to_string()]);
        reads.expect_nothing().await;
    }
}
