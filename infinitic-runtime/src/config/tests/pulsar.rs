//! `transport.pulsar`.

use super::super::{Authentication, PulsarConfig, PulsarPolicies, Secret, TransportKind};
use super::{PULSAR, good, refused};

#[track_caller]
fn pulsar(rest: &str) -> PulsarConfig {
    match good(&format!("{PULSAR}{rest}")).transport.kind {
        TransportKind::Pulsar(pulsar) => pulsar,
        other => panic!("pulsar is chosen, not {other:?}"),
    }
}

#[test]
fn four_keys_are_enough() {
    let pulsar = pulsar("");
    assert_eq!(pulsar.broker_url, "pulsar://localhost:6650");
    assert_eq!(pulsar.admin_url, "http://localhost:8080");
    assert_eq!(
        (&pulsar.tenant[..], &pulsar.namespace[..]),
        ("infinitic", "dev")
    );
    assert_eq!(pulsar.allowed_clusters, None);
    assert!(pulsar.client.authentication.is_none());
}

#[test]
fn every_key_is_read() {
    let pulsar = pulsar(
        "    transientNamespace: t
    topicPrefix: p
    maxMessageBytes: 2048
    allowedClusters: [a, b]
    adminRoles: [admin]
    client: { memoryLimitMB: 2 }
    policies:
      retentionTimeMinutes: -1
      retentionSizeMB: 5
      messageTTLSeconds: 0
      transientTTLSeconds: 61
      transientInactiveSeconds: 62
    producer: { maxPendingMessages: 7 }
    consumer: { maxRedeliverCount: 2 }
",
    );
    assert_eq!(pulsar.transient_namespace.as_deref(), Some("t"));
    assert_eq!(pulsar.topic_prefix.as_deref(), Some("p"));
    assert_eq!(pulsar.max_message_bytes, Some(2_048));
    assert_eq!(pulsar.allowed_clusters.unwrap(), ["a", "b"]);
    assert_eq!(pulsar.admin_roles.unwrap(), ["admin"]);
    assert_eq!(pulsar.client.memory_limit_bytes, Some(2 * 1024 * 1024));
    assert_eq!(
        pulsar.policies,
        PulsarPolicies {
            retention_minutes: Some(-1),
            retention_mb: Some(5),
            message_ttl_seconds: Some(0),
            transient_ttl_seconds: Some(61),
            transient_inactive_seconds: Some(62),
        }
    );
    assert_eq!(pulsar.producer.max_pending_messages, Some(7));
    assert_eq!(pulsar.redeliveries_max, Some(2));
}

#[track_caller]
fn authentication(keys: &str) -> Authentication {
    let rest = format!("    client: {{ authentication: {{ {keys} }} }}\n");
    pulsar(&rest).client.authentication.unwrap()
}

#[test]
fn there_are_four_ways_to_authenticate() {
    assert_eq!(
        authentication("token: t"),
        Authentication::Token(Secret::new("t"))
    );
    assert_eq!(
        authentication("tokenFile: /t"),
        Authentication::TokenFile("/t".into())
    );
    assert_eq!(
        authentication("username: u, password: p"),
        Authentication::Basic {
            username: "u".to_owned(),
            password: Secret::new("p"),
        }
    );
    assert_eq!(
        authentication("issuerUrl: 'https://i', privateKey: 'file:///k', audience: a"),
        Authentication::OAuth2 {
            issuer_url: "https://i".to_owned(),
            credentials_url: Secret::new("file:///k"),
            audience: Some("a".to_owned()),
            scope: None,
        }
    );
}

#[track_caller]
fn no_authentication(keys: &str, expected: &str) {
    let text = format!("{PULSAR}    client: {{ authentication: {{ {keys} }} }}\n");
    refused(&text, expected);
}

#[test]
fn one_way_is_chosen_and_whole() {
    no_authentication(
        "token: t, username: u",
        "a.yml:7:43: `transport.pulsar.client.authentication` has both `token` and `username`; \
         write one of: `token`; or `tokenFile`; or `username`, `password`; or `issuerUrl`, \
         `privateKey`, \
         `audience`, `scope`",
    );
    no_authentication(
        "",
        "a.yml:7:15: `transport.pulsar.client.authentication` chooses nothing; write one of: \
         `token`; or `tokenFile`; or `username`, `password`; or `issuerUrl`, `privateKey`, \
         `audience`, `scope`",
    );
    no_authentication(
        "username: u",
        "a.yml:7:15: `transport.pulsar.client.authentication.password` is missing; it takes a text",
    );
    no_authentication(
        "tenantDomain: d, tenantService: s, token: t",
        "a.yml:7:33: `transport.pulsar.client.authentication.tenantDomain` is not accepted: Athenz \
         and SASL are of the JVM driver; use a token, basic or OAuth2\n\
         a.yml:7:50: `transport.pulsar.client.authentication.tenantService` is not accepted: \
         Athenz and SASL are of the JVM driver; use a token, basic or OAuth2",
    );
}

#[test]
fn an_authority_needs_encryption() {
    let rest = "    client: { tlsTrustCertsFilePath: ./ca.pem }\n";
    let encrypted = PULSAR.replace("pulsar://", "pulsar+ssl://");
    let TransportKind::Pulsar(pulsar) = good(&format!("{encrypted}{rest}")).transport.kind else {
        panic!("pulsar is chosen");
    };
    assert_eq!(
        pulsar.client.tls_ca_file.unwrap().to_str(),
        Some("./ca.pem")
    );
    refused(
        &format!("{PULSAR}{rest}"),
        "a.yml:7:15: `transport.pulsar.client.tlsTrustCertsFilePath` has no effect: neither \
         address is encrypted; write `pulsar+ssl://` and `https://`, or remove it",
    );
}

#[test]
fn redeliveries_have_two_names() {
    let rest = "    consumer: { maxRedeliverCount: 2 }\n";
    assert_eq!(
        good(&format!("{PULSAR}{rest}")).worker.max_deliveries,
        Some(2)
    );
    refused(
        &format!("{PULSAR}{rest}worker: {{ maxDeliveries: 3 }}\n"),
        "a.yml:8:1: `worker.maxDeliveries` and `transport.pulsar.consumer.maxRedeliverCount` say \
         the same; remove one of them",
    );
}

#[test]
fn what_the_driver_decides_is_refused() {
    refused(
        &format!("{PULSAR}    client: {{ ioThreads: 4, keepAliveIntervalSeconds: 1 }}\n"),
        "a.yml:7:15: `transport.pulsar.client.ioThreads` is not accepted: connections share the \
         threads of tasks; remove it\n\
         a.yml:7:29: `transport.pulsar.client.keepAliveIntervalSeconds` is not accepted: limits \
         and \
         pauses are fixed: what fails is tried again until it succeeds; remove it",
    );
}

#[test]
fn topics_that_go_have_a_namespace_of_their_own() {
    refused(
        &format!("{PULSAR}    transientNamespace: dev\n"),
        "a.yml:7:5: `transport.pulsar.transientNamespace` is `namespace` itself; write another \
        one: \
         its topics are deleted when nobody reads them",
    );
}

#[test]
fn messages_do_not_expire_by_accident() {
    refused(
        &format!("{PULSAR}    policies: {{ messageTTLSeconds: 60 }}\n"),
        "a.yml:7:36: `transport.pulsar.policies.messageTTLSeconds` is `60`; it takes a whole \
        number \
         of seconds, at least 3600, or 0 for never, such as 1209600",
    );
}

#[test]
fn lists_of_texts_are_checked() {
    refused(
        &format!("{PULSAR}    adminRoles: admin\n    allowedClusters: [a, [b]]\n"),
        "a.yml:7:17: `transport.pulsar.adminRoles` is `admin`; it takes a list of texts, such as \
         [standalone]\n\
         a.yml:8:22: `transport.pulsar.allowedClusters` is a list; it takes a list of texts, \
         such as \
         [standalone]",
    );
}
