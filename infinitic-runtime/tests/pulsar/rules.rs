//! Rules for the library that can be seen from the broker.

use std::time::Duration;

use infinitic_core::names::WorkflowName;
use infinitic_runtime::cluster::store::Part;
use infinitic_runtime::cluster::transport::{Reading, Topic, TransportError};
use reqwest::Method;
use serde_json::Value;

use crate::support::{
    ALONE, WIDE, connect, given, inbox, inbox_path, open, payload, tasks, tasks_path, within,
};

const LONG: Duration = Duration::from_secs(30);

/// Rules 1, 3, 4, 5: what is read and what is sent has connections of its own, entries are not
/// batched, names are the broker's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_and_plain_entries() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let inbox = inbox(&*transport).await;
    let (mut reader, _) = open(&*transport, &inbox, ALONE).await;
    let receipts: Vec<_> = (0..50)
        .map(|one| transport.send(&inbox, payload(one)))
        .collect();
    for receipt in receipts {
        assert_eq!(within(LONG, receipt).await, Ok(()));
    }
    let mut seen = 0;
    while seen < 50 {
        seen += within(LONG, reader.next(50)).await.expect("open").len();
    }
    let stats = place.get(&format!("{}/stats", inbox_path(&settings))).await;
    let producer = &stats["publishers"][0];
    let consumer = &stats["subscriptions"]["infinitic"]["consumers"][0];
    assert_ne!(producer["address"], consumer["address"]);
    let name = producer["producerName"].as_str().expect("a name");
    assert!(name.starts_with("standalone-"), "{name}");
    let inside = place
        .get(&format!("{}/internalStats", inbox_path(&settings)))
        .await;
    assert_eq!(
        inside["entriesAddedCounter"], 50,
        "an entry for each message"
    );
    let namespace = place.get("namespaces/infinitic-tests/pulsar").await;
    assert_eq!(namespace["deduplicationEnabled"], false);
}

/// Rules 6 and 10: when closing ends, the broker has every acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_acknowledgements() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let tasks = tasks();
    let (mut reader, acknowledger) = open(&*transport, &tasks, Reading::Shared).await;
    let count = 3_000;
    let mut last = None;
    for one in 0..count {
        transport.ready().await;
        last = Some(transport.send(&tasks, payload(one)));
    }
    last.expect("some").await.expect("sent");
    let mut tags = Vec::new();
    while tags.len() < 2_000 {
        let given = within(LONG, reader.next(2_000 - tags.len())).await;
        tags.extend(given.expect("open").iter().map(|one| one.tag));
    }
    acknowledger.acknowledge(&tags);
    // A thousand more lie ready and are not taken: the library's own close would hang.
    within(LONG, reader.close()).await;
    let path = format!("{}/stats?getPreciseBacklog=true", tasks_path(&settings));
    let stats = place.get(&path).await;
    assert_eq!(stats["subscriptions"]["infinitic"]["msgBacklog"], 1_000);
}

/// A topic of another shape is refused with what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_shapes_are_refused() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let prefix = settings.prefix.as_deref().expect("set");
    let base = "persistent/infinitic-tests/pulsar";

    let plain = format!("{base}/{prefix}.workflow-engine%3APlain");
    assert!(place.ask(Method::PUT, &plain).await.status().is_success());
    let refused = transport.inboxes(&WorkflowName::known("Plain"), 4).await;
    let Err(TransportError::Refused(text)) = refused else {
        panic!("refused: {refused:?}");
    };
    assert!(
        text.contains("has no partitions") && text.contains("`prefix`"),
        "{text}"
    );

    let url = format!(
        "{}/admin/v2/{}/partitions",
        place.admin,
        tasks_path(&settings)
    );
    let made = reqwest::Client::new()
        .put(url)
        .json(&Value::from(3))
        .send()
        .await;
    assert!(made.expect("answers").status().is_success());
    let refused = transport.read(&tasks(), Reading::Shared, WIDE).await;
    let Err(TransportError::Refused(text)) = refused else {
        panic!("refused: {refused:?}");
    };
    assert!(
        text.contains("has partitions, but must have none"),
        "{text}"
    );

    inbox(&*transport).await;
    let beyond = Topic::Inbox(Part {
        workflow: WorkflowName::known("Workflow"),
        number: 9,
    });
    let refused = within(LONG, transport.read(&beyond, ALONE, WIDE)).await;
    let Err(TransportError::Refused(text)) = refused else {
        panic!("refused: {refused:?}");
    };
    assert!(text.contains("there is no topic"), "{text}");
}
