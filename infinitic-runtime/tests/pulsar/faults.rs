//! Trouble of a broker that lives: topics that move, messages of other programs.

use std::time::Duration;

use pulsar::producer::Message;
use pulsar::{ProducerOptions, Pulsar, TokioExecutor};
use reqwest::Method;

use crate::support::{
    ALONE, Seen, connect, given, inbox, inbox_path, number, open, payload, send_on, tasks,
    tasks_path, within,
};

const LONG: Duration = Duration::from_secs(60);

/// Rule 8: the broker closes consumer and producer of a topic that it moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unloaded_topics_lose_nothing() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let (sender, worker) = (connect(&settings).await, connect(&settings).await);
    let inbox = inbox(&*sender).await;
    let (mut reader, _) = open(&*worker, &inbox, ALONE).await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let sent = send_on(sender, inbox, Duration::from_millis(2), stopped);
    let path = inbox_path(&settings);
    let unload = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let answer = place.ask(Method::PUT, &format!("{path}/unload")).await;
            assert!(answer.status().is_success());
        }
        stop.send(()).expect("the sender waits for this");
    };
    let mut seen = Seen::default();
    let (count, ()) = within(LONG, async {
        tokio::join!(seen.read_until(&mut *reader, sent), unload)
    })
    .await;
    seen.assert_complete(count);
    eprintln!(
        "three unloads: {count} sent, {} twice, longest gap {:?}",
        seen.again, seen.longest_gap
    );
}

/// Rule 11: an entry of several messages is settled when all of them are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_entries_are_settled_as_a_whole() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let tasks = tasks();
    let (mut reader, acknowledger) = open(
        &*transport,
        &tasks,
        infinitic_runtime::cluster::transport::Reading::Shared,
    )
    .await;
    let prefix = settings.prefix.clone().expect("set");
    let client = Pulsar::builder(&place.broker, TokioExecutor).build();
    let client = Box::pin(client).await.expect("Pulsar is there");
    let batches = ProducerOptions {
        batch_size: Some(3),
        ..ProducerOptions::default()
    };
    let topic = format!("persistent://infinitic-tests/pulsar/{prefix}.task-executor:Service");
    let builder = client.producer().with_topic(topic).with_options(batches);
    let mut producer = Box::pin(builder.build()).await.expect("the topic exists");
    let mut receipts = Vec::new();
    for one in 0..3 {
        let message = Message {
            payload: payload(one).to_vec(),
            ..Message::default()
        };
        let sent = Box::pin(producer.send_non_blocking(message)).await;
        receipts.push(sent.expect("it takes it"));
    }
    for receipt in receipts {
        receipt.await.expect("it is there");
    }
    let mut given = Vec::new();
    while given.len() < 3 {
        given.extend(within(LONG, reader.next(3)).await.expect("open"));
    }
    assert_eq!(given.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    acknowledger.acknowledge(&[given[1].tag, given[0].tag]);
    reader.close().await;
    let backlog =
        |stats: serde_json::Value| stats["subscriptions"]["infinitic"]["msgBacklog"].clone();
    let path = format!("{}/stats?getPreciseBacklog=true", tasks_path(&settings));
    assert_eq!(
        backlog(place.get(&path).await),
        1,
        "the entry is not settled"
    );

    let (mut reader, acknowledger) = open(
        &*transport,
        &tasks,
        infinitic_runtime::cluster::transport::Reading::Shared,
    )
    .await;
    let mut again = Vec::new();
    while again.len() < 3 {
        again.extend(within(LONG, reader.next(3)).await.expect("open"));
    }
    let tags: Vec<u64> = again.iter().map(|one| one.tag).collect();
    acknowledger.acknowledge(&tags);
    reader.close().await;
    assert_eq!(backlog(place.get(&path).await), 0);
}

/// A topic that somebody deletes is made again; messages sent meanwhile arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_topics_are_made_again() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let tasks = tasks();
    let (mut reader, acknowledger) = open(
        &*transport,
        &tasks,
        infinitic_runtime::cluster::transport::Reading::Shared,
    )
    .await;
    transport.send(&tasks, payload(0)).await.expect("sent");
    let given = within(LONG, reader.next(1)).await.expect("open");
    acknowledger.acknowledge(&[given[0].tag]);
    let path = format!("{}?force=true", tasks_path(&settings));
    let answer = place.ask(Method::DELETE, &path).await;
    assert!(answer.status().is_success());
    within(LONG, transport.send(&tasks, payload(1)))
        .await
        .expect("sent");
    let given = within(LONG, reader.next(1)).await.expect("open");
    assert_eq!(number(&given[0]), 1);
    within(LONG, transport.close()).await;
}
