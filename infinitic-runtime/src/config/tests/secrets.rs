//! Nothing prints a password.

use super::super::{Authentication, Secret, Sources, StorageConfig, TransportKind};
use super::{PULSAR, good, refused, variable, yaml};

const WITH_SECRETS: &str = "    client: { authentication: { token: hunter2 } }
storage:
  postgres: { host: h, username: u, password: '${PASSWORD}' }
";

#[test]
fn secrets_are_read_and_not_shown() {
    let config = good(&format!("{PULSAR}{WITH_SECRETS}"));
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("Token(***)"), "{shown}");
    let TransportKind::Pulsar(pulsar) = &config.transport.kind else {
        panic!("pulsar is chosen");
    };
    let token = Authentication::Token(Secret::new("hunter2"));
    assert_eq!(pulsar.client.authentication, Some(token));
    let Some(StorageConfig::Postgres(postgres)) = &config.storage else {
        panic!("postgres is chosen");
    };
    let password = postgres.password.as_ref().unwrap();
    assert_eq!(password.reveal(), "hunter2");
    assert_eq!(format!("{password} {password:?}"), "*** ***");
}

#[test]
fn wrong_secrets_are_not_shown() {
    refused(
        &format!("{PULSAR}storage:\n  mysql: {{ url: 'postgres://u:hunter2@h/d' }}\n"),
        "a.yml:8:17: `storage.mysql.url` has a wrong value (not shown); it takes an address, such \
         as mysql://user:password@localhost:3306/database",
    );
    let text = "transport:\n  inMemory:\n  embedded:\n    path: x\n    token: [hunter2]\n";
    let faults = yaml(text).unwrap_err();
    assert!(!faults.contains("hunter2"), "{faults}");
}

#[test]
fn a_secret_that_is_a_number_is_not_shown() {
    let text = "[transport.embedded]\npath = 'x'\ntoken = 271828\n";
    let faults = super::toml(text).unwrap_err();
    assert_eq!(
        faults,
        "a.toml:3:9: `transport.embedded.token` has a wrong value (not shown); it takes a text in \
         quotes"
    );
}

#[test]
fn a_wrong_value_from_a_variable_is_not_shown() {
    refused(
        &format!("{PULSAR}storage:\n  redis: {{ host: h, port: '${{PASSWORD}}' }}\n"),
        "a.yml:8:27: `storage.redis.port` has a wrong value from `${PASSWORD}`; it takes a whole \
         number from 1 to 65535, such as 6379",
    );
    let faults = yaml(&format!("{PULSAR}services: ['${{PASSWORD}}']\n")).unwrap_err();
    assert!(!faults.contains("hunter2"), "{faults}");
}

#[test]
fn broken_files_show_nothing_of_their_text() {
    for text in [
        "password: 'hunter2\n",
        "password: hunter2: hunter2\n",
        "password: \"hunter2\\q\"\n",
        "? hunter2\n  x: [\n",
    ] {
        let faults = yaml(text).unwrap_err();
        assert!(!faults.contains("hunter2"), "{faults}");
    }
    for text in [
        "password = hunter2\n",
        "password = 'hunter2\n",
        "password = \"\\hunter2\"\n",
    ] {
        let faults = super::toml(text).unwrap_err();
        assert!(!faults.contains("hunter2"), "{faults}");
    }
}

#[test]
fn sources_show_their_names_only() {
    let sources = Sources::new()
        .yaml("mine", "token: hunter2")
        .environment(variable);
    assert_eq!(format!("{sources:?}"), "[\"mine\"]");
}
