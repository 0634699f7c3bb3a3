//! `transport` and `embedded`.

use super::super::{Config, EmbeddedConfig, TransportKind};
use super::{MEMORY, good, refused};

fn embedded(rest: &str) -> EmbeddedConfig {
    let config = good(&format!(
        "transport: {{ embedded: {{ path: ./d{rest} }} }}\n"
    ));
    match config.transport.kind {
        TransportKind::Embedded(embedded) => embedded,
        other => panic!("embedded is chosen, not {other:?}"),
    }
}

#[test]
fn memory_needs_no_settings() {
    for text in ["inMemory:", "inMemory: {}", "{ inMemory: }"] {
        let config: Config = good(&format!("transport:\n  {text}\n"));
        assert!(matches!(config.transport.kind, TransportKind::InMemory));
        assert_eq!(config.transport.shutdown_grace, None);
    }
}

#[test]
fn embedded_has_a_directory_and_an_endpoint() {
    let alone = embedded("");
    assert_eq!(alone.path.to_str(), Some("./d"));
    assert_eq!(
        (alone.listen, alone.token, alone.connect),
        (None, None, None)
    );
    let listens = embedded(", listen: '127.0.0.1:9070'");
    assert_eq!(listens.connect.as_deref(), Some("http://127.0.0.1:9070"));
    let public = embedded(", listen: '0.0.0.0:9070', token: t, connect: 'http://box:9070'");
    assert_eq!(public.listen.as_deref(), Some("0.0.0.0:9070"));
    assert_eq!(public.token.unwrap().reveal(), "t");
    assert_eq!(public.connect.as_deref(), Some("http://box:9070"));
    let six = embedded(", listen: '[::1]:9070'");
    assert_eq!(six.connect.as_deref(), Some("http://[::1]:9070"));
}

#[test]
fn one_transport_is_chosen() {
    refused(
        "transport: { inMemory: {}, embedded: { path: x } }\n",
        "a.yml:1:14: `transport` has both `embedded` and `inMemory`; write one of: `pulsar`; or \
         `embedded`; or `inMemory`",
    );
    refused(
        "transport: { shutdownGracePeriodSeconds: 3 }\n",
        "a.yml:1:1: `transport` chooses nothing; write one of: `pulsar`; or `embedded`; or \
         `inMemory`",
    );
    refused(
        "transport: { pulser: {} }\n",
        "a.yml:1:14: unknown key `pulser` in `transport`; did you mean `pulsar`?",
    );
    refused(
        "transport: inMemory\n",
        "a.yml:1:12: `transport` is a single value; it takes a mapping of keys: `pulsar`, \
         `embedded`, `inMemory`, `shutdownGracePeriodSeconds`",
    );
}

#[test]
fn memory_takes_no_keys() {
    refused(
        "transport: { inMemory: { size: 3 } }\n",
        "a.yml:1:26: unknown key `size` in `transport.inMemory`; it takes no keys; remove it",
    );
}

#[test]
fn an_endpoint_for_all_needs_a_token() {
    refused(
        "transport: { embedded: { path: x, listen: '0.0.0.0:9070' } }\n",
        "a.yml:1:35: `transport.embedded.listen` can be reached from other machines, and who \
         reaches it may start and cancel everything; write a loopback address such as \
         127.0.0.1:9070, or set `token`",
    );
}

#[test]
fn addresses_are_checked() {
    refused(
        "transport: { embedded: { listen: localhost, connect: 'localhost:1' } }\n",
        "a.yml:1:14: `transport.embedded.path` is missing; it takes the path of a directory, such \
         as ./data\n\
         a.yml:1:34: `transport.embedded.listen` is `localhost`; it takes an address and a port, \
         such as 127.0.0.1:9070\n\
         a.yml:1:54: `transport.embedded.connect` is the text \"localhost:1\"; it takes an \
         address, \
         such as http://127.0.0.1:9070",
    );
}

#[test]
fn the_grace_period_is_in_seconds() {
    let config = good("transport: { inMemory: {}, shutdownGracePeriodSeconds: 0.25 }\n");
    assert_eq!(config.transport.shutdown_grace.unwrap().as_millis(), 250);
    let config = good("transport: { inMemory: {}, shutdownGracePeriodSeconds: 0 }\n");
    assert!(config.transport.shutdown_grace.unwrap().is_zero());
    refused(
        "transport: { inMemory: {}, shutdownGracePeriodSeconds: -1 }\n",
        "a.yml:1:56: `transport.shutdownGracePeriodSeconds` is `-1`; it takes a number of seconds, \
         such as 30 or 0.5",
    );
    good(MEMORY);
}
