//! An owner that hangs: its process is stopped, its connection stays.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use infinitic_runtime::cluster::transport::Reading;
use infinitic_runtime::pulsar::PulsarSettings;

use crate::broker::signal;
use crate::support::{Place, connect, given, inbox, number, open, payload, within};

const PREFIX: &str = "INFINITIC_TEST_HUNG_PREFIX";

/// Not a test of its own: what the first owner does, in a process that can be stopped.
#[tokio::test]
async fn first_owner() {
    let Ok(prefix) = std::env::var(PREFIX) else {
        return;
    };
    let mut settings = given().expect("as its parent").settings();
    settings.prefix = Some(prefix);
    let transport = connect(&settings).await;
    let inbox = inbox(&*transport).await;
    let (mut reader, _) = open(&*transport, &inbox, Reading::Alone { rank: 4 }).await;
    println!("\nreads");
    let mut seen = 0;
    while let Some(given) = reader.next(100).await {
        seen += given.len();
        println!("\nholds {seen}");
    }
}

fn start(place: &Place, settings: &PulsarSettings) -> (Child, impl FnMut(&str)) {
    let itself = std::env::current_exe().expect("a test is a program");
    let mut child = Command::new(itself)
        .args(["--exact", "hung::first_owner", "--nocapture"])
        .env(PREFIX, settings.prefix.as_deref().expect("set"))
        .env("INFINITIC_PULSAR_URL", &place.broker)
        .env("INFINITIC_PULSAR_ADMIN_URL", &place.admin)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let until = move |wanted: &str| {
        let found = lines.any(|line| line.expect("text") == wanted);
        assert!(found, "the first owner says `{wanted}`");
    };
    (child, until)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn higher_rank_takes_over_from_a_stopped_process() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let inbox = inbox(&*transport).await;
    let (mut child, mut until) = start(&place, &settings);
    let pid = child.id().to_string();
    tokio::task::block_in_place(|| until("reads"));
    for one in 0..3 {
        transport.send(&inbox, payload(one)).await.expect("sent");
    }
    tokio::task::block_in_place(|| until("holds 3"));
    signal(&pid, "-STOP");

    let begun = Instant::now();
    let (mut reader, acknowledger) = open(&*transport, &inbox, Reading::Alone { rank: 5 }).await;
    let subscribed = begun.elapsed();
    transport.send(&inbox, payload(3)).await.expect("sent");
    let mut seen = Vec::new();
    let mut first = None;
    while seen.len() < 4 {
        let given = within(Duration::from_secs(40), reader.next(10))
            .await
            .expect("open");
        first.get_or_insert_with(|| begun.elapsed());
        let tags: Vec<u64> = given.iter().map(|one| one.tag).collect();
        acknowledger.acknowledge(&tags);
        seen.extend(given.iter().map(number));
    }
    let taken = first.expect("some came");
    eprintln!(
        "taken over from a stopped owner: subscribed {subscribed:?}, first message {taken:?}"
    );
    assert_eq!(seen, [0, 1, 2, 3]);
    assert!(
        taken < Duration::from_secs(10),
        "{taken:?}: not by its keep-alive"
    );

    // It wakes up, and is served no more.
    signal(&pid, "-CONT");
    transport.send(&inbox, payload(4)).await.expect("sent");
    let given = within(Duration::from_secs(10), reader.next(10))
        .await
        .expect("open");
    assert_eq!(given.iter().map(number).collect::<Vec<_>>(), [4]);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// The same without a newer claim: how long a killed owner's messages take to another that waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_reader_follows_a_killed_process() {
    let Some(place) = given() else { return };
    let settings = place.settings();
    let transport = connect(&settings).await;
    let inbox = inbox(&*transport).await;
    let (mut child, mut until) = start(&place, &settings);
    tokio::task::block_in_place(|| until("reads"));
    let (mut reader, _) = open(&*transport, &inbox, Reading::Alone { rank: 3 }).await;
    transport.send(&inbox, payload(0)).await.expect("sent");
    tokio::task::block_in_place(|| until("holds 1"));
    child.kill().expect("it runs");
    let begun = Instant::now();
    let given = within(Duration::from_secs(40), reader.next(10))
        .await
        .expect("open");
    assert_eq!(given.iter().map(number).collect::<Vec<_>>(), [0]);
    eprintln!("followed a killed owner after {:?}", begun.elapsed());
    child.wait().expect("it ends");
}
