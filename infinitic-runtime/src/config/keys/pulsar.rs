//! Keys of `transport.pulsar`.

use super::{Keys, key};

const SECTION: &str = "a mapping of keys";
const NAME: &str = "a name of letters, digits and `-_.`, such as infinitic";
const NAMES: &str = "a list of texts, such as [standalone]";

const KEY_STORE: &str =
    "key stores are of the JVM; give a PEM file in `client.tlsTrustCertsFilePath`";
const NO_CLIENT_CERTIFICATE: &str =
    "the driver cannot show a certificate of its own; use `client.authentication`";
const DRIVERS_OWN: &str = "the driver decides it by itself; remove it";
const OWN_PATIENCE: &str =
    "limits and pauses are fixed: what fails is tried again until it succeeds; remove it";
const NO_DELAYED: &str = "no message is delivered with a delay: timers live in the database, \
    exact to milliseconds and \
     without horizon; remove it";
const NO_SCHEMA: &str =
    "no schema is registered at the broker: messages carry the version of their format; remove it";
const OWN_FRAMES: &str =
    "messages are packed into frames by what a round sends out, without waiting; remove it";
const SENT_ONCE: &str =
    "a message is sent until the broker has it, in order and bounded; remove it";
const NO_ENCRYPTION: &str = "not available yet in this version: payloads are not encrypted; \
                             remove it";
const NO_CHUNKS: &str =
    "a message above the broker's limit is refused before it is sent; remove it";
const OWN_ROUTING: &str = "a message goes to the partition of its instance; remove it";
const OWN_PARTITIONS: &str = "the number of partitions is fixed with a workflow's first start, \
    see `worker.partitions`; \
     remove it";
const OWN_ACKS: &str =
    "a message is acknowledged when what it caused is durable, however long that takes; remove it";
const OWN_WINDOW: &str = "a worker holds what it can run, bounded in messages and bytes; remove it";
const OWN_PRIORITY: &str = "the owner of a partition is its reader by itself; remove it";

pub(in crate::config) const PULSAR: Keys = Keys {
    section: "transport.pulsar",
    taken: &[
        key(
            "brokerServiceUrl",
            "an address that begins with pulsar:// or pulsar+ssl://, such as \
             pulsar://localhost:6650",
            "must be given",
            "The broker.",
        ),
        key(
            "webServiceUrl",
            "an address that begins with http:// or https://, such as http://localhost:8080",
            "must be given",
            "The broker's administration, through which topics are created.",
        ),
        key(
            "tenant",
            NAME,
            "must be given",
            "The tenant. Created when missing.",
        ),
        key(
            "namespace",
            NAME,
            "must be given",
            "The namespace. Created when missing.",
        ),
        key(
            "allowedClusters",
            NAMES,
            "all of the broker",
            "Clusters of a tenant that is created.",
        ),
        key(
            "adminRoles",
            NAMES,
            "none",
            "Roles that administer a tenant that is created.",
        ),
        key(
            "transientNamespace",
            NAME,
            "`namespace` with `-transient`",
            "The namespace of topics that go when their reader does: answers to clients, messages \
             between workers. Created when missing; not `namespace` itself.",
        ),
        key(
            "topicPrefix",
            NAME,
            "none",
            "What names of topics begin with: lets several systems share a namespace.",
        ),
        key(
            "maxMessageBytes",
            "a whole number from 1024 to 1073741824, such as 5242880",
            "the broker's own",
            "The broker's `maxMessageSize`. What is larger is refused before it is sent.",
        ),
        key(
            "client",
            SECTION,
            "as below",
            "Connections: authentication, TLS, memory.",
        ),
        key(
            "policies",
            SECTION,
            "as below",
            "Policies of a namespace that is created.",
        ),
        key("producer", SECTION, "as below", "How messages are sent."),
        key(
            "consumer",
            SECTION,
            "as below",
            "How messages are received.",
        ),
    ],
    refused: &[
        (
            "authentication",
            "it stands under `client`; write `client.authentication`",
        ),
        (
            "tlsAllowInsecureConnection",
            "anyone on the way could read and change messages; give the authority in \
             `client.tlsTrustCertsFilePath`",
        ),
        (
            "tlsEnableHostnameVerification",
            "it is always on; remove it",
        ),
        (
            "tlsTrustCertsFilePath",
            "it stands under `client`; write `client.tlsTrustCertsFilePath`",
        ),
        ("useKeyStoreTls", KEY_STORE),
        ("tlsTrustStoreType", KEY_STORE),
        ("tlsTrustStorePath", KEY_STORE),
        ("tlsTrustStorePassword", KEY_STORE),
        (
            "shutdownGracePeriodSeconds",
            "it stands beside `pulsar`; write `transport.shutdownGracePeriodSeconds`",
        ),
    ],
};

pub(in crate::config) const AUTHENTICATION: Keys = Keys {
    section: "transport.pulsar.client.authentication",
    taken: &[
        key("token", "a text", "none", "A token (JWT). Never printed."),
        key(
            "tokenFile",
            "the path of a file, such as /run/secrets/token",
            "none",
            "A file that holds the token. Read again for each connection: it may be renewed.",
        ),
        key(
            "username",
            "a text",
            "none",
            "Basic authentication: the name.",
        ),
        key(
            "password",
            "a text",
            "none",
            "Basic authentication: the password. Never printed.",
        ),
        key(
            "issuerUrl",
            "an address, such as https://auth.example.com",
            "none",
            "OAuth2: who issues tokens. Needs the cargo feature `pulsar-oauth2`.",
        ),
        key(
            "privateKey",
            "an address, such as file:///etc/infinitic/key.json",
            "none",
            "OAuth2: where the credentials are. Never printed.",
        ),
        key(
            "audience",
            "a text",
            "none",
            "OAuth2: whom the token is for.",
        ),
        key("scope", "a text", "none", "OAuth2: what the token is for."),
    ],
    refused: &[
        (
            "tenantDomain",
            "Athenz and SASL are of the JVM driver; use a token, basic or OAuth2",
        ),
        (
            "tenantService",
            "Athenz and SASL are of the JVM driver; use a token, basic or OAuth2",
        ),
        (
            "providerDomain",
            "Athenz and SASL are of the JVM driver; use a token, basic or OAuth2",
        ),
        (
            "keyId",
            "Athenz and SASL are of the JVM driver; use a token, basic or OAuth2",
        ),
    ],
};

pub(in crate::config) const CLIENT: Keys = Keys {
    section: "transport.pulsar.client",
    taken: &[
        key(
            "authentication",
            SECTION,
            "none",
            "Who this program is; one of four ways.",
        ),
        key(
            "tlsTrustCertsFilePath",
            "the path of a PEM file, such as ./ca.pem",
            "the public authorities",
            "The authority that signed the broker's certificate. Only with `pulsar+ssl://` or \
             `https://`.",
        ),
        key(
            "memoryLimitMB",
            "a whole number from 1 to 65536, such as 64",
            "64",
            "Memory for messages on their way to the broker, over all topics; beyond it, senders \
             wait.",
        ),
    ],
    refused: &[
        (
            "allowTlsInsecureConnection",
            "anyone on the way could read and change messages; give the authority in \
             `tlsTrustCertsFilePath`",
        ),
        (
            "enableTlsHostnameVerification",
            "it is always on; remove it",
        ),
        ("operationTimeoutSeconds", OWN_PATIENCE),
        ("requestTimeoutSeconds", OWN_PATIENCE),
        ("readTimeoutSeconds", OWN_PATIENCE),
        ("lookupTimeoutSeconds", OWN_PATIENCE),
        ("connectionTimeoutSeconds", OWN_PATIENCE),
        ("keepAliveIntervalSeconds", OWN_PATIENCE),
        ("startingBackoffIntervalSeconds", OWN_PATIENCE),
        ("maxBackoffIntervalSeconds", OWN_PATIENCE),
        ("listenerName", DRIVERS_OWN),
        ("connectionMaxIdleSeconds", DRIVERS_OWN),
        (
            "ioThreads",
            "connections share the threads of tasks; remove it",
        ),
        (
            "listenerThreads",
            "connections share the threads of tasks; remove it",
        ),
        (
            "connectionsPerBroker",
            "there are two: one that sends, one that receives; remove it",
        ),
        ("enableTcpNoDelay", DRIVERS_OWN),
        ("tlsKeyFilePath", NO_CLIENT_CERTIFICATE),
        ("tlsCertificateFilePath", NO_CLIENT_CERTIFICATE),
        ("useKeyStoreTls", KEY_STORE),
        ("tlsKeyStoreType", KEY_STORE),
        ("tlsKeyStorePath", KEY_STORE),
        ("tlsKeyStorePassword", KEY_STORE),
        ("tlsTrustStoreType", KEY_STORE),
        ("tlsTrustStorePath", KEY_STORE),
        ("tlsTrustStorePassword", KEY_STORE),
        ("sslProvider", "TLS is part of the program; remove it"),
        ("tlsCiphers", "only safe ones are offered; remove it"),
        ("tlsProtocols", "TLS 1.2 and 1.3 are offered; remove it"),
        (
            "statsIntervalSeconds",
            "the driver keeps no statistics of its own; remove it",
        ),
        ("maxConcurrentLookupRequests", DRIVERS_OWN),
        ("maxLookupRequests", DRIVERS_OWN),
        ("maxLookupRedirects", DRIVERS_OWN),
        ("maxNumberOfRejectedRequestPerConnection", DRIVERS_OWN),
        ("enableBusyWait", DRIVERS_OWN),
        (
            "enableTransaction",
            "transactions of the broker are not used; remove it",
        ),
        (
            "socks5ProxyUsername",
            "the driver knows no proxy; remove it",
        ),
        (
            "socks5ProxyPassword",
            "the driver knows no proxy; remove it",
        ),
        ("autoCertRefreshTime", NO_CLIENT_CERTIFICATE),
    ],
};

pub(in crate::config) const POLICIES: Keys = Keys {
    section: "transport.pulsar.policies",
    taken: &[
        key(
            "retentionTimeMinutes",
            "a whole number of minutes, or -1 for ever, such as 10080",
            "10080",
            "How long acknowledged messages are kept (7 days).",
        ),
        key(
            "retentionSizeMB",
            "a whole number of megabytes, or -1 for all, such as 1024",
            "1024",
            "How much of them is kept, for each topic.",
        ),
        key(
            "messageTTLSeconds",
            "a whole number of seconds, at least 3600, or 0 for never, such as 1209600",
            "1209600",
            "After which time the broker drops messages that nobody took (14 days).",
        ),
        key(
            "transientTTLSeconds",
            "a whole number of seconds, at least 60, such as 3600",
            "3600",
            "The same in the namespace of topics that go when their reader does.",
        ),
        key(
            "transientInactiveSeconds",
            "a whole number of seconds, at least 60, such as 600",
            "600",
            "After which time a topic there is deleted when nobody reads it.",
        ),
    ],
    refused: &[
        ("timerTTLSeconds", NO_DELAYED),
        ("delayedDeliveryTickTimeMillis", NO_DELAYED),
        ("maxDeliveryDelayInMillis", NO_DELAYED),
        ("schemaCompatibilityStrategy", NO_SCHEMA),
        ("schemaValidationEnforced", NO_SCHEMA),
        ("isAllowAutoUpdateSchema", NO_SCHEMA),
        (
            "allowAutoTopicCreation",
            "it is always off: topics are created through the administration, with the right \
             number of partitions; remove it",
        ),
        (
            "deduplicationEnabled",
            "it is always off: receivers drop duplicates by message ids of their own, also after \
             a restart; remove it",
        ),
    ],
};

pub(in crate::config) const PRODUCER: Keys = Keys {
    section: "transport.pulsar.producer",
    taken: &[key(
        "maxPendingMessages",
        "a whole number from 1 to 1000000, such as 10000",
        "10000",
        "Messages on their way to the broker, over all topics; beyond it, senders wait.",
    )],
    refused: &[
        (
            "compressionType",
            "not available yet in this version: messages travel as they are; remove it",
        ),
        ("autoUpdatePartitions", OWN_PARTITIONS),
        ("autoUpdatePartitionsIntervalSeconds", OWN_PARTITIONS),
        ("batchingMaxBytes", OWN_FRAMES),
        ("batchingMaxMessages", OWN_FRAMES),
        ("batchingMaxPublishDelaySeconds", OWN_FRAMES),
        ("enableBatching", OWN_FRAMES),
        ("blockIfQueueFull", SENT_ONCE),
        ("sendTimeoutSeconds", SENT_ONCE),
        ("cryptoFailureAction", NO_ENCRYPTION),
        ("defaultCryptoKeyReader", NO_ENCRYPTION),
        ("encryptionKey", NO_ENCRYPTION),
        ("enableChunking", NO_CHUNKS),
        (
            "enableLazyStartPartitionedProducers",
            "each partition is written when needed; remove it",
        ),
        ("enableMultiSchema", NO_SCHEMA),
        ("hashingScheme", OWN_ROUTING),
        ("messageRoutingMode", OWN_ROUTING),
        (
            "roundRobinRouterBatchingPartitionSwitchFrequency",
            OWN_ROUTING,
        ),
        ("properties", "nobody reads them; remove it"),
    ],
};

pub(in crate::config) const CONSUMER: Keys = Keys {
    section: "transport.pulsar.consumer",
    taken: &[key(
        "maxRedeliverCount",
        "a whole number from 1 to 1000, such as 3",
        "`worker.maxDeliveries`",
        "The JVM version's name of `worker.maxDeliveries`; write one of them.",
    )],
    refused: &[
        ("receiverQueueSize", OWN_WINDOW),
        ("maxTotalReceiverQueueSizeAcrossPartitions", OWN_WINDOW),
        (
            "loadConf",
            "it is of the JVM driver; write the keys themselves",
        ),
        ("subscriptionProperties", "nobody reads them; remove it"),
        ("properties", "nobody reads them; remove it"),
        ("ackTimeoutSeconds", OWN_ACKS),
        ("ackTimeoutTickTimeSeconds", OWN_ACKS),
        ("isAckReceiptEnabled", OWN_ACKS),
        ("acknowledgmentGroupTimeSeconds", OWN_ACKS),
        ("enableBatchIndexAcknowledgment", OWN_ACKS),
        (
            "negativeAckRedeliveryDelaySeconds",
            "what could not be handled is tried again in place, with growing pauses; remove it",
        ),
        ("defaultCryptoKeyReader", NO_ENCRYPTION),
        ("cryptoFailureAction", NO_ENCRYPTION),
        (
            "replicateSubscriptionState",
            "replicated subscriptions are not used; remove it",
        ),
        ("priorityLevel", OWN_PRIORITY),
        ("autoUpdatePartitions", OWN_PARTITIONS),
        ("autoUpdatePartitionsIntervalSeconds", OWN_PARTITIONS),
        ("maxPendingChunkedMessage", NO_CHUNKS),
        ("autoAckOldestChunkedMessageOnQueueFull", NO_CHUNKS),
        ("expireTimeOfIncompleteChunkedMessageSeconds", NO_CHUNKS),
        ("startPaused", "a worker begins when it runs; remove it"),
    ],
};
