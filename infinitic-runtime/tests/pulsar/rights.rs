//! Wrong addresses, wrong passwords, few rights.

use std::time::Duration;

use infinitic_core::names::WorkflowName;
use infinitic_runtime::cluster::transport::{Reading, TransportError};
use infinitic_runtime::pulsar::Auth;

use crate::broker::Broker;
use crate::support::{ALONE, WIDE, connect, given, inbox, open, payload, refused, tasks, within};

const LONG: Duration = Duration::from_secs(60);

/// Secret of the tokens below, of this test alone.
const KEY: &str =
    "tokenSecretKey=data:;base64,aW5maW5pdGljLXRlc3RzLW9ubHktMDEyMzQ1Njc4OWFiY2RlZg==";

const HEAD: &str = "eyJhbGciOiJIUzI1NiJ9";
const ADMIN: &str = "eyJzdWIiOiJhZG1pbiJ9.v0uWMNtQXKdmWQaYL5pPlA7kL8kplt0q1RXg7xSaprA";
const WORKER: &str = "eyJzdWIiOiJ3b3JrZXIifQ.YA5THp94sXEzLAL9xb4dmEM2C_eVyn7Fs3If41nA65o";
const STRANGER: &str = "eyJzdWIiOiJzdHJhbmdlciJ9.z5mUMcUnzVAjs_glMTFtRZbfeyUylJRATHSbBJiHwCE";

fn token(rest: &str) -> Auth {
    Auth::Token(format!("{HEAD}.{rest}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_addresses_are_told() {
    let Some(place) = given() else { return };
    let mut settings = place.settings();
    settings.broker_url = "pulsar://127.0.0.1:1".to_owned();
    let text = within(LONG, refused(&settings)).await;
    assert!(
        text.starts_with("Unavailable") && text.contains("check `broker_url`"),
        "{text}"
    );

    let mut settings = place.settings();
    settings.broker_url = "pulsar://no-such-host.invalid:6650".to_owned();
    let text = within(LONG, refused(&settings)).await;
    assert!(text.contains("check `broker_url`"), "{text}");

    let mut settings = place.settings();
    settings.admin_url = "http://127.0.0.1:1".to_owned();
    let text = within(LONG, refused(&settings)).await;
    assert!(
        text.starts_with("Unavailable") && text.contains("check `admin_url`"),
        "{text}"
    );

    let mut settings = place.settings();
    settings.admin_url = format!("{}/elsewhere", place.admin);
    let text = within(LONG, refused(&settings)).await;
    assert!(
        text.contains("admin_url") || text.contains("Refused"),
        "{text}"
    );

    let mut settings = place.settings();
    settings.ca_file = Some("/no/such/file".into());
    let text = within(LONG, refused(&settings)).await;
    assert!(text.contains("`ca_file` /no/such/file"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_decide() {
    let own = format!("brokerClientAuthenticationParameters=token:{HEAD}.{ADMIN}");
    let settings = [
        "authenticationEnabled=true",
        "authorizationEnabled=true",
        "authenticationProviders=\
         org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
        KEY,
        "superUserRoles=admin",
        "brokerClientAuthenticationPlugin=\
         org.apache.pulsar.client.impl.auth.AuthenticationToken",
        &own,
    ];
    let broker = Broker::start_as(&settings, Some(&format!("{HEAD}.{ADMIN}"))).await;
    let Some(broker) = broker else { return };
    let mut settings = broker.place.settings();

    settings.auth = Auth::None;
    let text = within(LONG, refused(&settings)).await;
    assert!(
        text.starts_with("Refused") && text.contains("check the authentication"),
        "{text}"
    );

    settings.auth = token(&ADMIN.replace("v0", "w0"));
    let text = within(LONG, refused(&settings)).await;
    assert!(
        text.starts_with("Refused") && text.contains("check the authentication"),
        "{text}"
    );

    // One that may do nothing, before and after there is something.
    settings.auth = token(STRANGER);
    let text = within(LONG, refused(&settings)).await;
    assert!(text.starts_with("Refused"), "{text}");

    settings.auth = token(ADMIN);
    let admin = within(LONG, connect(&settings)).await;
    let made = within(LONG, inbox(&*admin)).await;
    let (mut reader, _) = within(LONG, open(&*admin, &made, ALONE)).await;
    within(LONG, admin.send(&made, payload(7)))
        .await
        .expect("sent");
    assert_eq!(within(LONG, reader.next(1)).await.expect("open").len(), 1);
    reader.close().await;
    within(LONG, admin.send(&tasks(), payload(8)))
        .await
        .expect("sent");

    for namespace in ["pulsar", "pulsar-transient"] {
        let place = &broker.place;
        let path = format!("namespaces/infinitic-tests/{namespace}/permissions/worker");
        let url = format!("{}/admin/v2/{path}", place.admin);
        let rights = serde_json::json!(["produce", "consume"]);
        let request = reqwest::Client::new().post(url).json(&rights);
        let request = request.bearer_auth(format!("{HEAD}.{ADMIN}"));
        let granted = request.send().await;
        assert!(granted.expect("answers").status().is_success());
    }
    // May read and send, and make nothing: enough where all is made.
    settings.auth = token(WORKER);
    let worker = within(LONG, connect(&settings)).await;
    let inboxes = within(LONG, worker.inboxes(&WorkflowName::known("Workflow"), 1)).await;
    assert_eq!(inboxes, Ok(1));
    let (mut reader, _) = within(LONG, open(&*worker, &made, ALONE)).await;
    assert_eq!(within(LONG, reader.next(1)).await.expect("open").len(), 1);
    let (mut shared, _) = within(LONG, open(&*worker, &tasks(), Reading::Shared)).await;
    assert_eq!(within(LONG, shared.next(1)).await.expect("open").len(), 1);
    let other = within(LONG, worker.inboxes(&WorkflowName::known("Other"), 1)).await;
    let Err(TransportError::Refused(text)) = other else {
        panic!("it may not make it: {other:?}");
    };
    assert!(text.contains("does not let us"), "{text}");

    settings.auth = token(STRANGER);
    let stranger = within(LONG, connect(&settings)).await;
    let denied = within(LONG, stranger.read(&made, ALONE, WIDE)).await;
    assert!(
        matches!(denied, Err(TransportError::Refused(_))),
        "{denied:?}"
    );
}
