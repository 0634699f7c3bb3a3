//! Topics with many readers, each message for one of them.

use std::time::Duration;

use infinitic_core::names::WorkflowName;
use infinitic_runtime::cluster::transport::{Reading, Topic, Window};

use crate::bed::{Bed, in_time, numbers, read, read_within, send, tags, texts};

const SHARED: Reading = Reading::Shared;

pub(crate) async fn waits_for_its_first_reader(bed: &Bed) {
    let (client, worker) = (bed.connect(), bed.connect());
    let tasks = bed.tasks();
    for text in numbers(0..3) {
        send(&*client, &tasks, &text).await;
    }
    let mut reads = read(&*worker, &tasks, SHARED).await;
    let mut seen = reads.settle(3).await;
    seen.sort();
    assert_eq!(seen, numbers(0..3));
}

pub(crate) async fn each_message_once(bed: &Bed) {
    let (one, two) = (bed.connect(), bed.connect());
    let tasks = bed.tasks();
    let narrow = Window {
        messages: 4,
        bytes: 1 << 20,
    };
    let mut first = read_within(&*one, &tasks, SHARED, narrow).await;
    let mut second = read_within(&*two, &tasks, SHARED, narrow).await;
    let sent: usize = 200;
    for number in 0..sent {
        send(&*one, &tasks, &format!("{number:03}")).await;
    }
    let mut seen = Vec::new();
    let (mut by_first, mut by_second) = (0, 0);
    while seen.len() < sent {
        let (from, given) = tokio::select! {
            given = in_time(first.reader.next(2)) => (&first, given),
            given = in_time(second.reader.next(2)) => (&second, given),
        };
        let given = given.expect("the transport is open");
        match std::ptr::eq(from, &first) {
            true => by_first += given.len(),
            false => by_second += given.len(),
        }
        from.acknowledger.acknowledge(&tags(&given));
        seen.extend(texts(&given));
    }
    seen.sort();
    let all: Vec<String> = (0..sent).map(|number| format!("{number:03}")).collect();
    assert_eq!(seen, all);
    assert!(by_first > 0 && by_second > 0, "{by_first} and {by_second}");
}

pub(crate) async fn goes_to_another_when_one_is_gone(bed: &Bed) {
    let (one, two) = (bed.connect(), bed.connect());
    let tasks = bed.tasks();
    let mut first = read(&*one, &tasks, SHARED).await;
    for text in numbers(0..4) {
        send(&*one, &tasks, &text).await;
    }
    let taken = first.take(4).await;
    first.acknowledger.acknowledge(&[taken[0].tag]);
    let settled = texts(&taken[..1]);
    first.close().await;
    let mut second = read(&*two, &tasks, SHARED).await;
    let mut rest = second.settle(3).await;
    rest.extend(settled);
    rest.sort();
    assert_eq!(rest, numbers(0..4));
}

pub(crate) async fn comes_again_when_given_back(bed: &Bed) {
    let transport = bed.connect();
    let tasks = bed.tasks();
    let mut reads = read(&*transport, &tasks, SHARED).await;
    send(&*transport, &tasks, "again").await;
    let mut taken = reads.take(1).await;
    for _ in 0..4 {
        reads.acknowledger.give_back(&tags(&taken));
        taken = reads.take(1).await;
        assert_eq!(texts(&taken), ["again"]);
        assert_eq!(taken[0].redeliveries, 0, "nobody went away with it");
    }
    reads.acknowledger.acknowledge(&tags(&taken));
    reads.expect_nothing().await;
}

pub(crate) async fn hosts_apart(bed: &Bed) {
    let transport = bed.connect();
    let workflow: WorkflowName = bed.workflow();
    let (one, two) = (
        Topic::Turns(workflow.clone(), 1),
        Topic::Turns(workflow.clone(), 2),
    );
    let mut first = read(&*transport, &one, SHARED).await;
    let mut second = read(&*transport, &two, SHARED).await;
    send(&*transport, &one, "of one").await;
    send(&*transport, &two, "of two").await;
    assert_eq!(first.settle(1).await, ["of one"]);
    assert_eq!(second.settle(1).await, ["of two"]);
    first.expect_nothing().await;
}

/// A worker that is full for an hour holds back nothing that another could do.
pub(crate) async fn full_readers_leave_it_to_others(bed: &Bed) {
    let (busy, idle) = (bed.connect(), bed.connect());
    let tasks = bed.tasks();
    let one_only = Window {
        messages: 1,
        bytes: 1 << 20,
    };
    let mut full = read_within(&*busy, &tasks, SHARED, one_only).await;
    send(&*busy, &tasks, "long").await;
    let long = full.take(1).await;
    for text in numbers(0..12) {
        send(&*busy, &tasks, &text).await;
    }
    let mut free = read(&*idle, &tasks, SHARED).await;
    let mut seen = free.settle(12).await;
    seen.sort_by_key(|text| text.parse::<u32>().expect("a number"));
    assert_eq!(seen, numbers(0..12));
    let nothing = tokio::time::timeout(Duration::from_millis(50), full.reader.next(1)).await;
    assert!(nothing.is_err(), "its window is full");
    full.acknowledger.acknowledge(&tags(&long));
}
