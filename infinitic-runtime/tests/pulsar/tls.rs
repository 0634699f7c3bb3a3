//! Encrypted connections, to a broker whose certificate is signed by an authority of its own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::broker::Broker;
use crate::support::{ALONE, connect, inbox, number, open, payload, refused, within};

const LONG: Duration = Duration::from_secs(60);

fn openssl(folder: &Path, arguments: &str) -> bool {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args(arguments.split_whitespace());
    command.output().is_ok_and(|output| output.status.success())
}

/// An authority and what it signed, in a folder that others may read.
fn certificates() -> Option<TempDir> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path();
    std::fs::write(
        path.join("names"),
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
    )
    .expect("ours");
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile names -out cert.pem",
    ];
    if !made.iter().all(|arguments| openssl(path, arguments)) {
        eprintln!("LEFT OUT: a test of TLS; it needs `openssl`");
        return None;
    }
    for (name, mode) in [("", 0o755), ("key.pem", 0o644), ("cert.pem", 0o644)] {
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path.join(name), open).expect("our own");
    }
    Some(folder)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_connections_work() {
    let Some(folder) = certificates() else { return };
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (port, web) = (free_port(), free_port());
    let settings = [
        format!("brokerServicePortTls={port}"),
        format!("webServicePortTls={web}"),
        format!("tlsCertificateFilePath={}", file("cert.pem")),
        format!("tlsKeyFilePath={}", file("key.pem")),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let Some(broker) = Broker::start(&settings).await else {
        return;
    };
    let mut settings = broker.place.settings();
    settings.broker_url = format!("pulsar+ssl://127.0.0.1:{port}");
    settings.admin_url = format!("https://127.0.0.1:{web}");
    let text = within(LONG, refused(&settings)).await;
    assert!(text.contains("certificate"), "{text}");

    settings.ca_file = Some(folder.path().join("ca.pem"));
    let transport = within(LONG, connect(&settings)).await;
    let inbox = within(LONG, inbox(&*transport)).await;
    let (mut reader, _) = within(LONG, open(&*transport, &inbox, ALONE)).await;
    within(LONG, transport.send(&inbox, payload(3)))
        .await
        .expect("sent");
    let given = within(LONG, reader.next(1)).await.expect("open");
    assert_eq!(number(&given[0]), 3);
}
