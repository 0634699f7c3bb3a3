//! Connections to the broker: one for what is read and acknowledged, another for what is sent.
//!
//! With one for both, an acknowledgement waits for the peer's delayed TCP acknowledgement of a
//! message sent before it, 40 ms, because the library leaves Nagle's algorithm on.
//!
//! Nothing here is cancelled half-way: the library's table of connections would wait for ever for
//! one whose making was dropped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pulsar::consumer::Consumer;
use pulsar::error::{ConnectionError, ConsumerError, ProducerError, ServiceDiscoveryError};
use pulsar::proto::ServerError;
use pulsar::{
    ConnectionRetryOptions, ConsumerBuilder, Error, OperationRetryOptions, Producer,
    ProducerOptions, Pulsar, TokioExecutor,
};
use tokio::sync::Mutex;

use super::admin::read_ca;
use super::auth::install_tls;
use super::settings::PulsarSettings;
use crate::cluster::transport::TransportError;

/// A consumer of bytes.
pub(super) type Bytewise = Consumer<Vec<u8>, TokioExecutor>;

/// The topic of a consumer that has one: the library asks for it and does not look.
pub(super) const ITS_TOPIC: &str = "";

/// Frames that wait to be written to one connection.
const OUTBOUND: usize = 1_000;

/// The library gives up so long after a request, and a message after so long without a receipt.
const OPERATION: Duration = Duration::from_secs(30);

/// One attempt at a TCP connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long making a producer or a consumer may take before another connection is tried. More than
/// the attempts of the library together.
const STUCK: Duration = Duration::from_secs(120);

/// Why something could not be made.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such topic.
    NoTopic,
    /// It will not work until somebody changes something.
    Refused(String),
    /// It may work later.
    Trouble(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTopic => f.write_str("there is no such topic"),
            Self::Refused(text) | Self::Trouble(text) => f.write_str(text),
        }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reading,
    Sending,
}

/// A connection, once somebody needed it.
#[derive(Default)]
struct Slot(Mutex<Option<Pulsar<TokioExecutor>>>);

/// Both connections.
#[derive(Clone)]
pub(super) struct Clients(Arc<Inner>);

struct Inner {
    settings: PulsarSettings,
    ca: Option<Vec<u8>>,
    reading: Slot,
    sending: Slot,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clients({})", self.0.settings.broker_url)
    }
}

impl Clients {
    /// # Errors
    /// When the certificates cannot be read.
    pub(super) fn new(settings: &PulsarSettings) -> Result<Self, TransportError> {
        install_tls();
        Ok(Self(Arc::new(Inner {
            ca: read_ca(settings)?,
            settings: settings.clone(),
            reading: Slot::default(),
            sending: Slot::default(),
        })))
    }

    /// Connects once, to tell at once what is wrong. The library keeps to its log what the broker
    /// said: when the REST interface did not let us in either, it was who we are.
    pub(super) async fn prove(&self, allowed: bool) -> Result<(), TransportError> {
        let url = &self.0.settings.broker_url;
        let Err(fault) = self.0.get(Use::Reading).await else {
            return Ok(());
        };
        if !allowed || matches!(fault, Fault::Refused(_)) {
            return Err(TransportError::Refused(format!(
                "the Pulsar broker at {url} refuses us: {fault}; check the authentication"
            )));
        }
        Err(TransportError::Unavailable(format!(
            "the Pulsar broker at {url} does not take our connection: {fault}; check `broker_url`, \
             `ca_file` and the authentication (the log of the target `pulsar` has the broker's \
             words)"
        )))
    }

    /// Whether anything listens at the broker's address: the library would try for long.
    pub(super) async fn knock(&self) -> Result<(), TransportError> {
        let url = &self.0.settings.broker_url;
        let (_, place) = url.split_once("://").unwrap_or(("", url));
        let place = place.trim_end_matches('/');
        let place = match (place.rsplit_once(':'), url.starts_with("pulsar+ssl")) {
            (Some((_, port)), _) if port.parse::<u16>().is_ok() => place.to_owned(),
            (_, true) => format!("{place}:6651"),
            (_, false) => format!("{place}:6650"),
        };
        let knocked = tokio::time::timeout(CONNECT, tokio::net::TcpStream::connect(&place)).await;
        let error = match knocked {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", CONNECT.as_secs()),
        };
        Err(TransportError::Unavailable(format!(
            "no Pulsar broker answers at {url}: {error}; check `broker_url` and that it runs"
        )))
    }

    /// Makes a producer. Ends itself, sooner or later.
    pub(super) async fn producer(&self, url: &str) -> Result<Producer<TokioExecutor>, Fault> {
        let url = url.to_owned();
        let options = ProducerOptions {
            block_queue_if_full: true,
            routing_policy: Some(pulsar::routing_policy::RoutingPolicy::RoundRobin),
            ..ProducerOptions::default()
        };
        self.make(Use::Sending, move |client| async move {
            let builder = client.producer().with_topic(url).with_options(options);
            Box::pin(builder.build()).await
        })
        .await
    }

    /// Makes a consumer. Ends itself, sooner or later.
    pub(super) async fn consumer(
        &self,
        with: impl FnOnce(ConsumerBuilder<TokioExecutor>) -> ConsumerBuilder<TokioExecutor>
        + Send
        + 'static,
    ) -> Result<Bytewise, Fault> {
        self.make(Use::Reading, move |client| async move {
            Box::pin(with(client.consumer()).build()).await
        })
        .await
    }

    /// Partitions of a topic, for a role that may not use the REST interface.
    pub(super) async fn partitions(&self, url: &str) -> Result<u32, Fault> {
        let url = url.to_owned();
        self.make(Use::Reading, move |client| async move {
            Box::pin(client.lookup_partitioned_topic_number(url)).await
        })
        .await
    }

    async fn make<T, F>(
        &self,
        what_for: Use,
        make: impl FnOnce(Pulsar<TokioExecutor>) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let client = inner.get(what_for).await?;
            make(client).await.map_err(|error| fault(&error))
        });
        match tokio::time::timeout(STUCK, task).await {
            Ok(Ok(made)) => made,
            Ok(Err(_)) => Err(Fault::Trouble("the library panicked".to_owned())),
            Err(_) => {
                // Not cancelled, but left alone: those who come now get a new connection.
                if let Ok(mut slot) = self.0.slot(what_for).0.try_lock() {
                    *slot = None;
                }
                let waited = STUCK.as_secs();
                Err(Fault::Trouble(format!("no answer within {waited} s")))
            }
        }
    }
}

impl Inner {
    fn slot(&self, what_for: Use) -> &Slot {
        match what_for {
            Use::Reading => &self.reading,
            Use::Sending => &self.sending,
        }
    }

    async fn get(&self, what_for: Use) -> Result<Pulsar<TokioExecutor>, Fault> {
        let mut slot = self.slot(what_for).0.lock().await;
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        let client = self.connect().await.map_err(|error| fault(&error))?;
        *slot = Some(client.clone());
        Ok(client)
    }

    async fn connect(&self) -> Result<Pulsar<TokioExecutor>, Error> {
        let settings = &self.settings;
        let mut builder = Pulsar::builder(&settings.broker_url, TokioExecutor)
            .with_connection_retry_options(ConnectionRetryOptions {
                min_backoff: Duration::from_millis(20),
                max_backoff: Duration::from_secs(1),
                // Past 32 the library's own log line would overflow; we begin again anyway.
                max_retries: 12,
                connection_timeout: CONNECT,
                keep_alive: Duration::from_secs(15),
                ..ConnectionRetryOptions::default()
            })
            .with_operation_retry_options(OperationRetryOptions {
                operation_timeout: OPERATION,
                retry_delay: Duration::from_millis(200),
                max_retries: Some(10),
            })
            .with_outbound_channel_size(OUTBOUND);
        if let Some(ca) = &self.ca {
            builder = builder.with_certificate_chain(ca.clone());
        }
        settings.auth.apply(builder).build().await
    }
}

/// What an error of the library means to us.
pub(super) fn fault(error: &Error) -> Fault {
    let text = error.to_string();
    match server_error(error) {
        Some(ServerError::TopicNotFound) => Fault::NoTopic,
        Some(
            ServerError::AuthenticationError
            | ServerError::AuthorizationError
            | ServerError::UnsupportedVersionError
            | ServerError::IncompatibleSchema
            | ServerError::NotAllowedError
            | ServerError::InvalidTopicName
            | ServerError::TopicTerminatedError,
        ) => Fault::Refused(text),
        _ if is_authentication(error) => Fault::Refused(text),
        _ => Fault::Trouble(text),
    }
}

fn connection_error(error: &Error) -> Option<&ConnectionError> {
    match error {
        Error::Connection(error)
        | Error::Consumer(ConsumerError::Connection(error))
        | Error::Producer(ProducerError::Connection(error))
        | Error::ServiceDiscovery(ServiceDiscoveryError::Connection(error)) => Some(error),
        _ => None,
    }
}

fn server_error(error: &Error) -> Option<ServerError> {
    if let Error::ServiceDiscovery(ServiceDiscoveryError::Query(kind, _)) = error {
        return *kind;
    }
    match connection_error(error) {
        Some(ConnectionError::PulsarError(kind, _)) => *kind,
        _ => None,
    }
}

fn is_authentication(error: &Error) -> bool {
    matches!(error, Error::Authentication(_))
        || matches!(
            connection_error(error),
            Some(ConnectionError::Authentication(_))
        )
}
