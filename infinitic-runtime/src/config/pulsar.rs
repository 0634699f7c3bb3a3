//! `transport.pulsar`: the broker.

use std::path::PathBuf;

use super::keys::{AUTHENTICATION, CLIENT, CONSUMER, POLICIES, PRODUCER};
use super::reader::Section;
use super::secret::Secret;

/// `transport.pulsar`.
#[derive(Clone, Debug)]
pub struct PulsarConfig {
    /// `brokerServiceUrl`: begins with `pulsar://` or `pulsar+ssl://`.
    pub broker_url: String,
    /// `webServiceUrl`: begins with `http://` or `https://`.
    pub admin_url: String,
    /// The tenant.
    pub tenant: String,
    /// The namespace, without its tenant.
    pub namespace: String,
    /// The namespace of topics that go when their reader does; another one.
    pub transient_namespace: Option<String>,
    /// What names of topics begin with.
    pub topic_prefix: Option<String>,
    /// The broker's `maxMessageSize`.
    pub max_message_bytes: Option<usize>,
    /// `allowedClusters`, for a tenant that is created; all when none is given.
    pub allowed_clusters: Option<Vec<String>>,
    /// `adminRoles`, for a tenant that is created.
    pub admin_roles: Option<Vec<String>>,
    /// Connections.
    pub client: PulsarClientConfig,
    /// Policies of a namespace that is created.
    pub policies: PulsarPolicies,
    /// How messages are sent.
    pub producer: PulsarProducerConfig,
    /// `consumer.maxRedeliverCount`: the JVM version's name of [`WorkerConfig::max_deliveries`],
    /// where it is found too.
    ///
    /// [`WorkerConfig::max_deliveries`]: super::WorkerConfig::max_deliveries
    pub redeliveries_max: Option<u32>,
}

/// `transport.pulsar.client`.
#[derive(Clone, Debug, Default)]
pub struct PulsarClientConfig {
    /// Who this program is.
    pub authentication: Option<Authentication>,
    /// `tlsTrustCertsFilePath`: a PEM file of the authority to trust.
    pub tls_ca_file: Option<PathBuf>,
    /// Bytes of messages on their way to the broker, over all topics.
    pub memory_limit_bytes: Option<u64>,
}

/// Who this program is, for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Whoever shows this token.
    Token(Secret),
    /// The same, with the token in a file that may be renewed.
    TokenFile(PathBuf),
    /// A user with a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// Whoever an OAuth2 issuer says. Needs the cargo feature `pulsar-oauth2`.
    OAuth2 {
        /// The issuer.
        issuer_url: String,
        /// Where the credentials are: `file://…`, or the credentials themselves, `data:…`.
        credentials_url: Secret,
        /// Whom the token is for.
        audience: Option<String>,
        /// What the token is for.
        scope: Option<String>,
    },
}

/// `transport.pulsar.policies`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PulsarPolicies {
    /// Minutes for which acknowledged messages are kept; -1: for ever.
    pub retention_minutes: Option<i64>,
    /// Megabytes of them that are kept; -1: all.
    pub retention_mb: Option<i64>,
    /// Seconds after which messages that nobody took are dropped; 0: never.
    pub message_ttl_seconds: Option<u32>,
    /// The same in the namespace of topics that go when their reader does.
    pub transient_ttl_seconds: Option<u32>,
    /// Seconds after which a topic there is deleted when nobody reads it.
    pub transient_inactive_seconds: Option<u32>,
}

/// `transport.pulsar.producer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PulsarProducerConfig {
    /// Messages on their way to the broker, over all topics.
    pub max_pending_messages: Option<usize>,
}

impl PulsarConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        for key in ["brokerServiceUrl", "webServiceUrl", "tenant", "namespace"] {
            section.require(key);
        }
        let broker = |text: &str| is_address(text, &["pulsar://", "pulsar+ssl://"]);
        let admin = |text: &str| is_address(text, &["http://", "https://"]);
        let name = |key| section.text_if(key, is_name).unwrap_or_default();
        let client = section.section("client", &CLIENT);
        let is_encrypted = ["brokerServiceUrl", "webServiceUrl"].iter().any(|key| {
            let url = section.quiet_text(key).unwrap_or_default();
            url.starts_with("pulsar+ssl://") || url.starts_with("https://")
        });
        if let Some(client) = client.as_ref().filter(|_| !is_encrypted) {
            client.without_effect(
                "tlsTrustCertsFilePath",
                "neither address is encrypted; write `pulsar+ssl://` and `https://`, or remove it",
            );
        }
        let policies = section.section("policies", &POLICIES);
        let producer = section.section("producer", &PRODUCER);
        let consumer = section.section("consumer", &CONSUMER);
        Self {
            broker_url: section
                .text_if("brokerServiceUrl", broker)
                .unwrap_or_default(),
            admin_url: section.text_if("webServiceUrl", admin).unwrap_or_default(),
            tenant: name("tenant"),
            transient_namespace: transient_namespace(section),
            namespace: name("namespace"),
            topic_prefix: section.text_if("topicPrefix", is_name),
            max_message_bytes: section.whole("maxMessageBytes", 1_024..=1024 * 1024 * 1024),
            allowed_clusters: section.texts("allowedClusters"),
            admin_roles: section.texts("adminRoles"),
            client: client
                .map_or_else(Default::default, |client| PulsarClientConfig::read(&client)),
            policies: policies.map_or_else(Default::default, |policies| read_policies(&policies)),
            producer: producer.map_or_else(Default::default, |producer| PulsarProducerConfig {
                max_pending_messages: producer.whole("maxPendingMessages", 1..=1_000_000),
            }),
            redeliveries_max: consumer
                .and_then(|consumer| consumer.whole("maxRedeliverCount", 1..=1_000)),
        }
    }
}

impl PulsarClientConfig {
    fn read(section: &Section<'_>) -> Self {
        let authentication = section.section("authentication", &AUTHENTICATION);
        let megabytes: Option<u64> = section.whole("memoryLimitMB", 1..=65_536);
        Self {
            authentication: authentication.and_then(|section| Authentication::read(&section)),
            tls_ca_file: section.text("tlsTrustCertsFilePath").map(PathBuf::from),
            memory_limit_bytes: megabytes.map(|number| number * 1024 * 1024),
        }
    }
}

impl Authentication {
    fn read(section: &Section<'_>) -> Option<Self> {
        let token = section.secret("token");
        let token_file = section.text("tokenFile").map(PathBuf::from);
        let username = section.text("username");
        let password = section.secret("password");
        let issuer_url = section.text_if("issuerUrl", |text| {
            is_address(text, &["http://", "https://"])
        });
        let credentials_url = section.secret_if("privateKey", |text| {
            text.starts_with("file:") || text.starts_with("data:")
        });
        let (audience, scope) = (section.text("audience"), section.text("scope"));
        match section.one_of(&[
            &["token"],
            &["tokenFile"],
            &["username", "password"],
            &["issuerUrl", "privateKey", "audience", "scope"],
        ])? {
            0 => token.map(Self::Token),
            1 => token_file.map(Self::TokenFile),
            2 => {
                section.require("username");
                section.require("password");
                Some(Self::Basic {
                    username: username?,
                    password: password?,
                })
            }
            _ => {
                section.require("issuerUrl");
                section.require("privateKey");
                Some(Self::OAuth2 {
                    issuer_url: issuer_url?,
                    credentials_url: credentials_url?,
                    audience,
                    scope,
                })
            }
        }
    }
}

/// A namespace whose topics may be deleted: not the one whose topics are to stay.
fn transient_namespace(section: &Section<'_>) -> Option<String> {
    let transient = section.text_if("transientNamespace", is_name);
    if transient.is_some() && transient.as_deref() == section.quiet_text("namespace") {
        let message = format!(
            "`{}` is `namespace` itself; write another one: its topics are deleted when nobody \
             reads them",
            section.path_of("transientNamespace")
        );
        section.fault("transientNamespace", message);
    }
    transient
}

fn read_policies(section: &Section<'_>) -> PulsarPolicies {
    let seconds_max = i32::MAX.unsigned_abs();
    PulsarPolicies {
        retention_minutes: section.whole("retentionTimeMinutes", -1..=i64::from(i32::MAX)),
        retention_mb: section.whole("retentionSizeMB", -1..=i64::from(i32::MAX)),
        message_ttl_seconds: section.whole_or_zero("messageTTLSeconds", 3_600..=seconds_max),
        transient_ttl_seconds: section.whole("transientTTLSeconds", 60..=seconds_max),
        transient_inactive_seconds: section.whole("transientInactiveSeconds", 60..=seconds_max),
    }
}

fn is_address(text: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| {
        let host = text.strip_prefix(scheme);
        host.is_some_and(|host| {
            !host.is_empty() && !host.starts_with(['/', ':']) && !host.contains(' ')
        })
    })
}

/// What is taken as the name of a tenant or a namespace, and as a part of a topic's.
fn is_name(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
