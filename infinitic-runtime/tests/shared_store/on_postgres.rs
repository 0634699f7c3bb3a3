//! What is PostgreSQL's alone: starts, rights, and servers in trouble.

use std::time::Duration;

use infinitic_runtime::backend::{StoreError, Table};
use infinitic_runtime::cluster::store::{CommitId, SharedStore};
use infinitic_runtime::store::postgres::PostgresStore;
use infinitic_runtime::store::sql::SqlSettings;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::lab::{Kind, Lab, Owner, done, id, lost, name, put};

const NONE: CommitId = CommitId::NONE;

/// A session beside the store's.
async fn session(lab: &Lab) -> PgConnection {
    PgConnection::connect(&lab.url).await.unwrap()
}

async fn execute(session: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(session)
        .await
        .unwrap();
}

async fn refusal(settings: &SqlSettings) -> String {
    match PostgresStore::open(settings).await {
        Err(StoreError::Refused(text)) => {
            assert!(!text.contains("s3cret"), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

/// The address with another database or port; with another user and password when one is named.
fn changed(lab: &Lab, user: Option<&str>, database: &str, port: Option<u16>) -> SqlSettings {
    let (scheme, rest) = lab.url.split_once("://").unwrap();
    let (own, place) = rest.rsplit_once('@').unwrap();
    let (host, old) = place.split_once('/').unwrap();
    let who = user.map_or_else(|| own.to_owned(), |user| format!("{user}:s3cret"));
    let host = match port {
        Some(port) => format!("{}:{port}", host.split(':').next().unwrap()),
        None => host.to_owned(),
    };
    let database = if database.is_empty() { old } else { database };
    let url = format!("{scheme}://{who}@{host}/{database}");
    SqlSettings::new(url).prefix(&lab.prefix)
}

#[tokio::test]
async fn what_keeps_it_from_starting_says_what_to_do() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let text = refusal(&SqlSettings::new("not an address")).await;
    assert!(text.contains("write postgres://"), "{text}");
    let text = refusal(&changed(&lab, Some("nobody_of_that_name"), "", None)).await;
    assert!(text.contains("check user and password"), "{text}");
    let text = refusal(&changed(&lab, None, "no_such_database", None)).await;
    assert!(text.contains("CREATE DATABASE"), "{text}");
    let text = refusal(&lab.sql().schema("pg_catalog")).await;
    assert!(
        text.contains("GRANT USAGE, CREATE ON SCHEMA pg_catalog"),
        "{text}"
    );
    // Nobody listens there now; somebody may later.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let answer = PostgresStore::open(&changed(&lab, Some("infinitic"), "", Some(port))).await;
    let Err(StoreError::Io(text)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        text.contains("is the address right?") && !text.contains("s3cret"),
        "{text}"
    );
}

#[tokio::test]
async fn many_may_start_at_once() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let starts = (0..6).map(|_| {
        let settings = lab.sql();
        tokio::spawn(async move { PostgresStore::open(&settings).await.map(drop) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    lab.erase().await;
}

#[tokio::test]
async fn tables_of_a_newer_program_are_left_alone() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    drop(lab.handle().await);
    let mut session = session(&lab).await;
    let set = |version: &str| {
        let prefix = &lab.prefix;
        format!("UPDATE {prefix}meta SET value = '{version}' WHERE key = 'version'")
    };
    execute(&mut session, set("7")).await;
    let answer = PostgresStore::open(&lab.sql()).await;
    let Err(StoreError::NewerFormat(text)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        text.contains("version 7") && text.contains("another prefix"),
        "{text}"
    );
    execute(&mut session, set("none")).await;
    let answer = PostgresStore::open(&lab.sql()).await;
    assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
    execute(&mut session, set("1")).await;
    lab.erase().await;
}

#[tokio::test]
async fn a_schema_is_made() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let settings = lab.sql().schema(format!("{}schema", lab.prefix));
    let store = PostgresStore::open(&settings).await.unwrap();
    assert_eq!(store.parts(&name("A"), 3).await.unwrap(), 3);
    store.erase().await.unwrap();
    drop(store);
    PostgresStore::open(&settings)
        .await
        .unwrap()
        .erase()
        .await
        .unwrap();
    let drop_schema = format!("DROP SCHEMA {}schema", lab.prefix);
    execute(&mut session(&lab).await, drop_schema).await;
}

#[tokio::test]
async fn the_pool_of_the_application_serves() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let pool = PgPool::connect(&lab.url).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone(), &lab.sql())
        .await
        .unwrap();
    assert_eq!(store.parts(&name("A"), 3).await.unwrap(), 3);
    store.close().await;
    // What is left of the pool has the application's settings.
    let setting: String = sqlx::query_scalar("SELECT current_setting('enable_seqscan')")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(setting, "on");
    let error = store.parts(&name("A"), 3).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    lab.erase().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings = SqlSettings::new(format!("postgres://a:b@127.0.0.1:{port}/c"))
        .timeout(Duration::from_millis(200));
    let answer = PostgresStore::open(&settings).await;
    let Err(StoreError::Io(text)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        text.contains("200ms") || text.contains("timed out"),
        "{text}"
    );
}

#[tokio::test]
async fn a_call_that_hangs_can_be_repeated() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let settings = lab.sql().timeout(Duration::from_millis(500)).connections(2);
    let store = PostgresStore::open(&settings).await.unwrap();
    let mut owner = Owner::of(std::sync::Arc::new(store), "Orders", "m1").await;
    let first = owner.append(&[(id(1), 0, NONE)]).await;
    let mut session = session(&lab).await;
    execute(&mut session, "BEGIN".to_owned()).await;
    execute(
        &mut session,
        format!("SELECT * FROM {}parts FOR UPDATE", lab.prefix),
    )
    .await;
    let ops = vec![put(Table::Open, b"k", b"v")];
    let commit = owner.commit(&[(id(1), 1, first), (id(2), 1, NONE)], ops);
    for _ in 0..3 {
        let answer = owner.store.write(vec![commit.clone()]).await;
        assert!(matches!(answer, Err(StoreError::Io(_))), "{answer:?}");
    }
    execute(&mut session, "COMMIT".to_owned()).await;
    for _ in 0..2 {
        assert_eq!(owner.write(&commit).await, lost(&[id(2)]));
    }
    assert_eq!(owner.history(id(1)).await.len(), 2);
    lab.erase().await;
}

#[tokio::test]
async fn cut_connections_are_replaced() {
    let Some(lab) = Lab::of(Kind::postgres) else {
        return;
    };
    let url = format!("{}?application_name={}", lab.url, lab.prefix);
    let settings = SqlSettings::new(url).prefix(&lab.prefix);
    let store = PostgresStore::open(&settings).await.unwrap();
    let mut owner = Owner::of(std::sync::Arc::new(store), "Orders", "m1").await;
    let mut last = NONE;
    let mut session = session(&lab).await;
    for row in 0..5 {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name";
        execute(&mut session, format!("{cut} = '{}'", lab.prefix)).await;
        let commit = owner.commit(&[(id(1), row, last)], Vec::new());
        let mut failures = 0;
        loop {
            match owner.store.write(vec![commit.clone()]).await {
                Ok(written) => {
                    assert_eq!(written, [done()]);
                    break;
                }
                Err(StoreError::Io(_)) => failures += 1,
                Err(error) => panic!("{error:?}"),
            }
            assert!(failures < 3, "the dead connections are forgotten at once");
        }
        last = commit.commit;
    }
    assert_eq!(owner.history(id(1)).await.len(), 5);
    lab.erase().await;
}
