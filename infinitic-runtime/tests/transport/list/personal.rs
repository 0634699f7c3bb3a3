//! Topics of one client or member, which go with it.

use infinitic_runtime::cluster::transport::Reading;

use crate::bed::{Bed, read, send};

const ALONE: Reading = Reading::Alone { rank: 0 };

pub(crate) async fn answers_arrive(bed: &Bed) {
    let (client, worker) = (bed.connect(), bed.connect());
    let replies = bed.replies();
    let mut reads = read(&*client, &replies, ALONE).await;
    send(&*worker, &replies, "first").await;
    send(&*worker, &replies, "second").await;
    assert_eq!(reads.settle(2).await, ["first", "second"]);
}

pub(crate) async fn nothing_stays_after_close(bed: &Bed) {
    let (client, worker) = (bed.connect(), bed.connect());
    let replies = bed.replies();
    let mut reads = read(&*client, &replies, ALONE).await;
    send(&*worker, &replies, "heard").await;
    assert_eq!(reads.settle(1).await, ["heard"]);
    send(&*worker, &replies, "not settled").await;
    reads.close().await;
    send(&*worker, &replies, "nobody is there").await;

    let mut reads = read(&*client, &replies, ALONE).await;
    reads.expect_nothing().await;
    send(&*worker, &replies, "back").await;
    assert_eq!(reads.settle(1).await, ["back"]);
}

pub(crate) async fn nobody_there_is_no_trouble(bed: &Bed) {
    let worker = bed.connect();
    let (replies, member) = (bed.replies(), bed.member());
    send(&*worker, &replies, "to nobody").await;
    send(&*worker, &member, "to nobody").await;
    // And it does not disturb those who come later.
    let mut reads = read(&*worker, &replies, ALONE).await;
    send(&*worker, &replies, "to somebody").await;
    assert_eq!(reads.settle(1).await, ["to somebody"]);
}

pub(crate) async fn members_hear_each_other(bed: &Bed) {
    let (one, two) = (bed.connect(), bed.connect());
    let (first, second) = (bed.member(), bed.member());
    let mut at_first = read(&*one, &first, ALONE).await;
    let mut at_second = read(&*two, &second, ALONE).await;
    send(&*one, &second, "from first").await;
    assert_eq!(at_second.settle(1).await, ["from first"]);
    send(&*two, &first, "from second").await;
    assert_eq!(at_first.settle(1).await, ["from second"]);
}
