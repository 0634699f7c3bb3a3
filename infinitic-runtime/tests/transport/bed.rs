//! A broker under test, and helpers that wait for what must come.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_runtime::cluster::memory::transport::MemoryBroker;
use infinitic_runtime::cluster::store::{MemberId, Part};
use infinitic_runtime::cluster::transport::{
    Acknowledge, Delivery, Reader, Reading, Topic, Transport, Window,
};

/// Nothing here takes longer, on a machine that does other things too.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// How long to listen for what must not come.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Room for whatever a test sends.
pub(crate) const WIDE: Window = Window {
    messages: 10_000,
    bytes: 64 << 20,
};

type Connect = Box<dyn Fn() -> Arc<dyn Transport> + Send + Sync>;

/// A broker that no other test uses, or a part of one.
pub(crate) struct Bed {
    connect: Connect,
    drawn: AtomicU64,
}

pub(crate) fn memory() -> Bed {
    let broker = MemoryBroker::new();
    Bed {
        connect: Box::new(move || Arc::new(broker.transport())),
        drawn: AtomicU64::new(0),
    }
}

/// A Pulsar, if there is one to test with: in one namespace for all, each case with its own prefix.
#[cfg(feature = "pulsar")]
pub(crate) async fn pulsar(case: &str) -> Option<Bed> {
    use infinitic_runtime::pulsar::{PulsarSettings, PulsarTransport};

    let Some((broker, admin)) = pulsar_urls() else {
        eprintln!(
            "LEFT OUT: {case} on Pulsar; set INFINITIC_PULSAR_URL, INFINITIC_PULSAR_ADMIN_URL"
        );
        return None;
    };
    let mut settings = PulsarSettings::new(broker, admin);
    settings.tenant = "infinitic-tests".to_owned();
    settings.namespace = "transport".to_owned();
    settings.prefix = Some(format!("{:016x}", infinitic_runtime::clock::random_bits()));
    let mut ready = Vec::new();
    for _ in 0..5 {
        let connected = in_time(Box::pin(PulsarTransport::connect(settings.clone()))).await;
        let transport: Arc<dyn Transport> = Arc::new(connected.expect("Pulsar is there"));
        ready.push(transport);
    }
    let ready = std::sync::Mutex::new(ready);
    Some(Bed {
        connect: Box::new(move || {
            let mut ready = ready.lock().expect("no holder panics");
            ready.pop().expect("no case needs more connections")
        }),
        drawn: AtomicU64::new(0),
    })
}

/// Addresses of broker and REST interface.
#[cfg(feature = "pulsar")]
pub(crate) fn pulsar_urls() -> Option<(String, String)> {
    let broker = std::env::var("INFINITIC_PULSAR_URL").ok()?;
    let admin = std::env::var("INFINITIC_PULSAR_ADMIN_URL").ok()?;
    Some((broker, admin))
}

impl Bed {
    /// A connection of its own, as another process would have.
    pub(crate) fn connect(&self) -> Arc<dyn Transport> {
        (self.connect)()
    }

    fn draw(&self, kind: &str) -> String {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        format!("{kind}{number}")
    }

    pub(crate) fn workflow(&self) -> WorkflowName {
        WorkflowName::known(&self.draw("Workflow"))
    }

    pub(crate) fn tasks(&self) -> Topic {
        Topic::Tasks(ServiceName::known(&self.draw("Service")))
    }

    pub(crate) fn control(&self) -> Topic {
        Topic::TaskControl(ServiceName::known(&self.draw("Service")))
    }

    pub(crate) fn replies(&self) -> Topic {
        Topic::Replies(self.draw("client"))
    }

    pub(crate) fn member(&self) -> Topic {
        Topic::Member(MemberId(self.draw("member")))
    }

    /// An inbox of a new workflow, which exists.
    pub(crate) async fn inbox(&self, transport: &dyn Transport) -> Topic {
        let workflow = self.workflow();
        let made = in_time(transport.inboxes(&workflow, 1)).await;
        assert_eq!(made, Ok(1));
        inbox(&workflow, 0)
    }
}

pub(crate) fn inbox(workflow: &WorkflowName, number: u16) -> Topic {
    Topic::Inbox(Part {
        workflow: workflow.clone(),
        number,
    })
}

/// What a future gives, which must come before long.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    let answer = tokio::time::timeout(LONG, future).await;
    answer.expect("this ends in time")
}

pub(crate) async fn send(transport: &dyn Transport, to: &Topic, text: &str) {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    let sent = in_time(transport.send(to, payload)).await;
    assert_eq!(sent, Ok(()));
}

/// A reader with what a test needs of it.
pub(crate) struct Reads {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) acknowledger: Box<dyn Acknowledge>,
}

pub(crate) async fn read(transport: &dyn Transport, topic: &Topic, reading: Reading) -> Reads {
    read_within(transport, topic, reading, WIDE).await
}

pub(crate) async fn read_within(
    transport: &dyn Transport,
    topic: &Topic,
    reading: Reading,
    window: Window,
) -> Reads {
    let reader = in_time(transport.read(topic, reading, window)).await;
    let reader = reader.expect("the topic can be read");
    let acknowledger = reader.acknowledger();
    Reads {
        reader,
        acknowledger,
    }
}

impl Reads {
    /// The next `count` messages, not acknowledged.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut all = Vec::new();
        while all.len() < count {
            let given = in_time(self.reader.next(count - all.len())).await;
            let given = given.expect("the transport is open");
            assert!(!given.is_empty(), "at least one");
            all.extend(given);
        }
        assert_eq!(all.len(), count, "at most what was asked for");
        all
    }

    /// The texts of the next `count` messages, acknowledged.
    pub(crate) async fn settle(&mut self, count: usize) -> Vec<String> {
        let taken = self.take(count).await;
        self.acknowledger.acknowledge(&tags(&taken));
        texts(&taken)
    }

    /// Nothing comes for a while.
    pub(crate) async fn expect_nothing(&mut self) {
        let given = tokio::time::timeout(QUIET, self.reader.next(100)).await;
        assert!(given.is_err(), "nothing is there, but {given:?}");
    }

    pub(crate) async fn close(self) {
        in_time(self.reader.close()).await;
    }
}

pub(crate) fn tags(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}

pub(crate) fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let text = |delivery: &Delivery| {
        String::from_utf8(delivery.payload.to_vec()).expect("tests send text")
    };
    deliveries.iter().map(text).collect()
}

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
