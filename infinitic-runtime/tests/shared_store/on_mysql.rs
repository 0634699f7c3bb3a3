//! What is MySQL's alone: starts, rights, and servers in trouble.

use std::time::Duration;

use infinitic_runtime::backend::{StoreError, Table};
use infinitic_runtime::cluster::store::{CommitId, SharedStore};
use infinitic_runtime::store::mysql::MysqlStore;
use infinitic_runtime::store::sql::SqlSettings;
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, MySqlPool};

use crate::lab::{Kind, Lab, Owner, done, id, lost, name, put};

const NONE: CommitId = CommitId::NONE;

/// A session beside the store's.
async fn session(lab: &Lab) -> MySqlConnection {
    MySqlConnection::connect(&lab.url).await.unwrap()
}

async fn execute(session: &mut MySqlConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(session)
        .await
        .unwrap();
}

async fn refusal(settings: &SqlSettings) -> String {
    match MysqlStore::open(settings).await {
        Err(StoreError::Refused(text)) => {
            assert!(!text.contains("s3cret"), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

/// The address with another database, user or port.
fn changed(lab: &Lab, user: &str, database: &str, port: Option<u16>) -> SqlSettings {
    let place = lab.url.rsplit('@').next().unwrap();
    let (host, old) = place.split_once('/').unwrap();
    let host = match port {
        Some(port) => format!("{}:{port}", host.split(':').next().unwrap()),
        None => host.to_owned(),
    };
    let database = if database.is_empty() { old } else { database };
    let url = format!("mysql://{user}:s3cret@{host}/{database}");
    SqlSettings::new(url).prefix(&lab.prefix)
}

#[tokio::test]
async fn what_keeps_it_from_starting_says_what_to_do() {
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let text = refusal(&SqlSettings::new("not an address")).await;
    assert!(text.contains("write mysql://"), "{text}");
    let text = refusal(&changed(&lab, "infinitic", "", None)).await;
    assert!(text.contains("check user and password"), "{text}");
    let text = refusal(&SqlSettings::new(format!("{}_no_such", lab.url))).await;
    assert!(
        text.contains("CREATE DATABASE") || text.contains("GRANT"),
        "{text}"
    );
    let user = format!("{}user", lab.prefix);
    let mut session = session(&lab).await;
    // Some servers have a nameless user at localhost, who comes before those at any host.
    for host in ["%", "localhost"] {
        let make = format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY 's3cret'");
        execute(&mut session, make).await;
    }
    let text = refusal(&changed(&lab, &user, "", None)).await;
    execute(
        &mut session,
        format!("DROP USER '{user}'@'%', '{user}'@localhost"),
    )
    .await;
    assert!(text.contains("for the first start: GRANT CREATE"), "{text}");
    // Nobody listens there now; somebody may later.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let answer = MysqlStore::open(&changed(&lab, "infinitic", "", Some(port))).await;
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
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let starts = (0..6).map(|_| {
        let settings = lab.sql();
        tokio::spawn(async move { MysqlStore::open(&settings).await.map(drop) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    lab.erase().await;
}

#[tokio::test]
async fn tables_of_a_newer_program_are_left_alone() {
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    drop(lab.handle().await);
    let mut session = session(&lab).await;
    let set = |version: &str| {
        let prefix = &lab.prefix;
        format!("UPDATE {prefix}meta SET value = '{version}' WHERE name = 'version'")
    };
    execute(&mut session, set("7")).await;
    let answer = MysqlStore::open(&lab.sql()).await;
    let Err(StoreError::NewerFormat(text)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        text.contains("version 7") && text.contains("another prefix"),
        "{text}"
    );
    execute(&mut session, set("none")).await;
    let answer = MysqlStore::open(&lab.sql()).await;
    assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
    execute(&mut session, set("1")).await;
    lab.erase().await;
}

#[tokio::test]
async fn a_schema_is_made() {
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let settings = lab.sql().schema(format!("{}schema", lab.prefix));
    let store = MysqlStore::open(&settings).await.unwrap();
    assert_eq!(store.parts(&name("A"), 3).await.unwrap(), 3);
    store.erase().await.unwrap();
    drop(store);
    MysqlStore::open(&settings)
        .await
        .unwrap()
        .erase()
        .await
        .unwrap();
    let drop_schema = format!("DROP DATABASE {}schema", lab.prefix);
    execute(&mut session(&lab).await, drop_schema).await;
}

#[tokio::test]
async fn the_pool_of_the_application_serves() {
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let pool = MySqlPool::connect(&lab.url).await.unwrap();
    let store = MysqlStore::with_pool(pool.clone(), &lab.sql())
        .await
        .unwrap();
    assert_eq!(store.parts(&name("A"), 3).await.unwrap(), 3);
    store.close().await;
    let isolation: String = sqlx::query_scalar("SELECT @@tx_isolation")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(
        isolation, "REPEATABLE-READ",
        "the others have the application's settings"
    );
    let error = store.parts(&name("A"), 3).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    lab.erase().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings = SqlSettings::new(format!("mysql://a:b@127.0.0.1:{port}/c"))
        .timeout(Duration::from_millis(200));
    let answer = MysqlStore::open(&settings).await;
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
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let settings = lab.sql().timeout(Duration::from_millis(500)).connections(2);
    let store = MysqlStore::open(&settings).await.unwrap();
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
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let database = format!("{}cut", lab.prefix);
    let mut session = session(&lab).await;
    execute(&mut session, format!("CREATE DATABASE {database}")).await;
    let url = format!("{}/{database}", lab.url.rsplit_once('/').unwrap().0);
    let settings = SqlSettings::new(url).prefix(&lab.prefix);
    let store = MysqlStore::open(&settings).await.unwrap();
    let mut owner = Owner::of(std::sync::Arc::new(store), "Orders", "m1").await;
    let mut last = NONE;
    for row in 0..5 {
        let list = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ?";
        let ids: Vec<i64> = sqlx::query_scalar(list)
            .bind(&database)
            .fetch_all(&mut session)
            .await
            .unwrap();
        assert!(!ids.is_empty());
        for id in ids {
            execute(&mut session, format!("KILL {id}")).await;
        }
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
    owner.store.close().await;
    execute(&mut session, format!("DROP DATABASE {database}")).await;
}

#[tokio::test]
async fn what_is_larger_than_a_packet_is_refused() {
    let Some(lab) = Lab::of(Kind::mysql) else {
        return;
    };
    let mut owner = lab.owner().await;
    let mut commit = owner.commit(&[(id(1), 0, NONE)], Vec::new());
    commit.history[0].value = vec![7; 65 << 20].into();
    let answer = owner.store.write(vec![commit.clone()]).await;
    let Err(StoreError::Refused(text)) = answer else {
        panic!("{answer:?}")
    };
    assert!(text.contains("max_allowed_packet"), "{text}");
    commit.history[0].value = vec![7; 60 << 20].into();
    assert_eq!(owner.write(&commit).await, done());
    lab.erase().await;
}
