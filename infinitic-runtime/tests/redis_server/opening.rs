//! What is said when the store is opened.

use std::process::Command;
use std::time::Duration;

use infinitic_runtime::backend::StoreError;
use infinitic_runtime::cluster::store::SharedStore as _;
use infinitic_runtime::store::redis::{Durability, RedisSettings, RedisStore};

use crate::server::{DURABLE, Owner, Server, done, id, settings};

async fn refused(settings: &RedisSettings) -> String {
    match RedisStore::open(settings).await {
        Err(StoreError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

#[tokio::test]
async fn an_unreadable_address_is_refused_without_its_password() {
    for url in [
        "",
        "nonsense",
        "http://u:hush@host",
        "redis://u:hush@host:port/0",
    ] {
        let text = refused(&RedisSettings::new(url)).await;
        assert_says(&text, &["redis://user:password@host:6379/0"]);
        assert!(!text.contains("hush"), "{text}");
    }
    let settings = RedisSettings::new("redis://u:hush@host:1/0");
    assert!(!format!("{settings:?}").contains("hush"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let usual = RedisSettings::new("redis://127.0.0.1:1/0");
    for prefix in ["", "a b", "a{b", "a}b", "a/b", "a\n"] {
        let settings = usual.clone().prefix(prefix);
        assert_says(&refused(&settings).await, &["prefix", "infinitic"]);
    }
    let settings = usual.clone().timeout(Duration::ZERO);
    assert_says(&refused(&settings).await, &["timeout"]);
    let settings = RedisSettings::new("rediss://127.0.0.1:1/0").ca("/does/not/exist");
    assert_says(&refused(&settings).await, &["/does/not/exist", "PEM"]);
}

#[tokio::test]
async fn nobody_at_the_address_may_pass() {
    let error = RedisStore::open(&settings("redis://127.0.0.1:1/0")).await;
    let Err(StoreError::Io(text)) = error else {
        panic!("{error:?}");
    };
    assert_says(&text, &["127.0.0.1:1", "check that it runs"]);
}

#[tokio::test]
async fn a_plain_server_is_told_from_one_with_tls() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let url = server.url().replace("redis://", "rediss://");
    let hasty = settings(&url).timeout(Duration::from_secs(2));
    let error = RedisStore::open(&hasty).await;
    let Err(StoreError::Io(text)) = error else {
        panic!("{error:?}");
    };
    assert_says(&text, &["rediss:// for TLS"]);
}

#[tokio::test]
async fn tls_takes_the_certificates_that_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let (key, certificate) = (dir.path().join("key.pem"), dir.path().join("cert.pem"));
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
                 -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let mut openssl = Command::new("openssl");
    openssl
        .args(words.split_whitespace())
        .arg("-keyout")
        .arg(&key);
    if openssl.arg("-out").arg(&certificate).output().is_err() {
        eprintln!("LEFT OUT: no openssl is installed to make certificates with");
        return;
    }
    let (key, path) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let files = ["--tls-cert-file", path, "--tls-key-file", key];
    let Some(server) = Server::start_tls(&files) else {
        return;
    };
    let usual = settings(&server.url().replace("redis://", "rediss://"));
    let own = usual.clone().ca(&certificate);
    let mut owner = Owner::of(RedisStore::open(&own).await.unwrap(), "m1").await;
    let commit = owner.commit(&[(id(1), 0, Default::default())], Vec::new());
    assert_eq!(owner.write(&commit).await, done());
    // Those of the machine do not know it.
    let error = RedisStore::open(&usual).await.err().unwrap().to_string();
    assert_says(&error, &["certificate"]);
}

#[tokio::test]
async fn passwords_and_rights_are_checked() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let at = format!("127.0.0.1:{}/0", server.port);
    let rules = "ACL SETUSER worker on >secret ~{infinitic}* ~{infinitic/* +@read +@write \
                 +@connection +@scripting +time +info +config|get";
    let rules: Vec<&str> = rules.split_whitespace().collect();
    let () = server.call(&rules).await;
    let rules = "ACL SETUSER poor on >secret ~other* +@all";
    let rules: Vec<&str> = rules.split_whitespace().collect();
    let () = server.call(&rules).await;
    let rules = "ACL SETUSER plain on >secret ~{infinitic}* ~{infinitic/* +@all -@admin -info";
    let rules: Vec<&str> = rules.split_whitespace().collect();
    let () = server.call(&rules).await;
    let () = server
        .call(&["CONFIG", "SET", "requirepass", "other"])
        .await;

    let text = refused(&settings(&format!("redis://{at}"))).await;
    assert_says(&text, &["asks for a password"]);
    let text = refused(&settings(&format!("redis://:wrong@{at}"))).await;
    assert_says(&text, &["user and password"]);
    assert!(!text.contains("wrong"), "{text}");
    let text = refused(&settings(&format!("redis://poor:secret@{at}"))).await;
    assert_says(&text, &["rights", "ACL SETUSER"]);

    // The rights that the documentation names are enough.
    let store = RedisStore::open(&settings(&format!("redis://worker:secret@{at}"))).await;
    let store = store.unwrap();
    assert_eq!(store.durability(), Durability::Synced);
    let mut owner = Owner::of(store, "m1").await;
    let commit = owner.commit(&[(id(1), 0, Default::default())], Vec::new());
    assert_eq!(owner.write(&commit).await, done());

    let store = RedisStore::open(&settings(&format!("redis://plain:secret@{at}"))).await;
    assert_eq!(store.unwrap().durability(), Durability::Unknown);

    let wrong_database = format!("redis://worker:secret@127.0.0.1:{}/99", server.port);
    assert_says(&refused(&settings(&wrong_database)).await, &["database"]);
}

#[tokio::test]
async fn what_a_crash_takes_back_is_known() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    assert_eq!(server.store().await.durability(), Durability::Volatile);
    let () = server.call(&["CONFIG", "SET", "appendonly", "yes"]).await;
    assert_eq!(server.store().await.durability(), Durability::Delayed);
    let () = server
        .call(&["CONFIG", "SET", "appendfsync", "always"])
        .await;
    assert_eq!(server.store().await.durability(), Durability::Synced);
    let rewrites = ["CONFIG", "SET", "no-appendfsync-on-rewrite", "yes"];
    let () = server.call(&rewrites).await;
    assert_eq!(server.store().await.durability(), Durability::Delayed);
}

#[tokio::test]
async fn a_server_that_throws_keys_away_is_refused() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let () = server
        .call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await;
    // Without a limit it never does.
    server.store().await;
    let () = server.call(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
    let text = refused(&settings(&server.url())).await;
    assert_says(&text, &["allkeys-lru", "noeviction"]);
    // Also when it does not tell as much.
    let rules = "ACL SETUSER half on nopass ~* +@all -info";
    let rules: Vec<&str> = rules.split_whitespace().collect();
    let () = server.call(&rules).await;
    let url = server.url().replace("redis://", "redis://half:any@");
    assert_says(&refused(&settings(&url)).await, &["allkeys-lru"]);
    let () = server
        .call(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"])
        .await;
    server.store().await;
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    server.store().await;
    let () = server
        .call(&["HSET", "{infinitic}:meta", "schema", "2"])
        .await;
    let error = RedisStore::open(&settings(&server.url())).await;
    let Err(StoreError::NewerFormat(text)) = error else {
        panic!("{error:?}");
    };
    assert_says(&text, &["layout 2", "up to 1"]);
    let other = settings(&server.url()).prefix("other");
    RedisStore::open(&other).await.unwrap();
}

#[tokio::test]
async fn a_replica_is_refused_and_counted() {
    let Some(primary) = Server::start(DURABLE) else {
        return;
    };
    let Some(replica) = Server::start(&[]) else {
        return;
    };
    let one = settings(&primary.url()).replicas(1);
    let one = one.timeout(Duration::from_secs(3));
    let mut owner = Owner::of(RedisStore::open(&one).await.unwrap(), "m1").await;
    let commit = owner.commit(&[(id(1), 0, Default::default())], Vec::new());
    let written = owner.store.write(vec![commit.clone()]).await;
    let Err(StoreError::Io(text)) = written else {
        panic!("{written:?}");
    };
    assert_says(&text, &["0 of 1 replicas"]);

    let port = primary.port.to_string();
    let () = replica.call(&["REPLICAOF", "127.0.0.1", &port]).await;
    while owner.store.write(vec![commit.clone()]).await != Ok(vec![done()]) {}
    let text = refused(&settings(&replica.url())).await;
    assert_says(&text, &["replica", "primary"]);
}

#[tokio::test]
async fn waiting_for_the_log_needs_a_server_that_can() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let wait = settings(&server.url()).wait_aof(true);
    let info: String = server.call(&["INFO", "server"]).await;
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    let version: Vec<u32> = version.unwrap().split('.').flat_map(str::parse).collect();
    if version[..2] < [7, 2][..] {
        assert_says(&refused(&wait).await, &["WAITAOF needs 7.2"]);
        return;
    }
    let mut owner = Owner::of(RedisStore::open(&wait).await.unwrap(), "m1").await;
    let commit = owner.commit(&[(id(1), 0, Default::default())], Vec::new());
    assert_eq!(owner.write(&commit).await, done());
}
