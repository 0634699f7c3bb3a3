//! Messages that were set aside.

use bytes::Bytes;
use infinitic_runtime::cluster::transport::{DeadLetter, Reading, Topic, Transport};

use crate::bed::{Bed, in_time, read};

async fn set_aside(transport: &dyn Transport, topic: &Topic, text: &str, reason: &str) {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    let done = in_time(transport.set_aside(topic, payload, reason.to_owned())).await;
    assert_eq!(done, Ok(()));
}

/// The dead letters with these texts.
async fn find(transport: &dyn Transport, texts: &[&str]) -> Vec<DeadLetter> {
    let all = in_time(transport.dead_letters(1_000))
        .await
        .expect("a list");
    let of = |text: &&str| {
        let found = all.iter().find(|letter| letter.payload == text.as_bytes());
        found.cloned()
    };
    texts.iter().filter_map(of).collect()
}

pub(crate) async fn are_kept_and_listed(bed: &Bed) {
    let (one, two) = (bed.connect(), bed.connect());
    let (first, second) = (bed.tasks(), bed.inbox(&*one).await);
    set_aside(&*one, &first, "poison of tasks", "no such task").await;
    set_aside(&*one, &second, "poison of inbox", "line 1\nzwei: ü").await;
    let found = find(&*two, &["poison of tasks", "poison of inbox"]).await;
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].id, found[1].id);
    assert_eq!(found[0].reason, "no such task");
    assert_eq!(found[1].reason, "line 1\nzwei: ü");
    assert_eq!(found[0].topic, first.to_string());
    assert_eq!(found[1].topic, second.to_string());
    assert!(found[0].at.contains('T'), "{}", found[0].at);
    let again = find(&*one, &["poison of tasks", "poison of inbox"]).await;
    assert_eq!(again, found, "a listing changes nothing");
    let few = in_time(two.dead_letters(1)).await.expect("a list");
    assert_eq!(few.len(), 1);
}

pub(crate) async fn go_back_once(bed: &Bed) {
    let transport = bed.connect();
    let tasks = bed.tasks();
    set_aside(&*transport, &tasks, "repaired", "was broken").await;
    set_aside(&*transport, &tasks, "still broken", "is broken").await;
    let found = find(&*transport, &["repaired"]).await;
    let mut reads = read(&*transport, &tasks, Reading::Shared).await;
    let other = bed.connect();
    assert_eq!(in_time(other.redrive(&found[0].id)).await, Ok(true));
    assert_eq!(reads.settle(1).await, ["repaired"]);
    assert_eq!(in_time(other.redrive(&found[0].id)).await, Ok(false));
    reads.expect_nothing().await;
    let left = find(&*transport, &["repaired", "still broken"]).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].reason, "is broken");
    assert_eq!(in_time(other.redrive("no such id")).await, Ok(false));
}

pub(crate) async fn of_every_topic(bed: &Bed) {
    let transport = bed.connect();
    let workflow = bed.workflow();
    let topics = [
        bed.inbox(&*transport).await,
        bed.tasks(),
        bed.control(),
        Topic::Turns(workflow, 4),
        bed.replies(),
        bed.member(),
    ];
    for topic in &topics {
        let text = topic.to_string();
        set_aside(&*transport, topic, &text, "any").await;
        assert_eq!(find(&*transport, &[&text]).await[0].topic, text);
    }
}
