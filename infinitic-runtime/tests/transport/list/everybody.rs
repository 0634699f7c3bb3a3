//! Topics that everybody reads.

use infinitic_runtime::cluster::transport::Reading;

use crate::bed::{Bed, read, send};

pub(crate) async fn all_hear_it(bed: &Bed) {
    let (one, two) = (bed.connect(), bed.connect());
    let control = bed.control();
    let mut first = read(&*one, &control, Reading::All).await;
    let mut second = read(&*two, &control, Reading::All).await;
    let mut third = read(&*two, &control, Reading::All).await;
    send(&*one, &control, "a").await;
    send(&*two, &control, "b").await;
    for reads in [&mut first, &mut second, &mut third] {
        assert_eq!(reads.settle(2).await, ["a", "b"]);
    }
}

pub(crate) async fn without_memory(bed: &Bed) {
    let transport = bed.connect();
    let control = bed.control();
    send(&*transport, &control, "nobody is there").await;
    let mut first = read(&*transport, &control, Reading::All).await;
    send(&*transport, &control, "one is there").await;
    assert_eq!(first.settle(1).await, ["one is there"]);
    first.close().await;
    send(&*transport, &control, "nobody again").await;
    let mut second = read(&*transport, &control, Reading::All).await;
    send(&*transport, &control, "now").await;
    assert_eq!(second.settle(1).await, ["now"]);
}
