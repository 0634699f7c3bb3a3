//! What happens to a store that is open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use infinitic_core::InstanceId;
use infinitic_runtime::backend::{CommitId, StoreError, Table};
use infinitic_runtime::cluster::store::{MemberId, PartCommit, SharedStore as _, Written};
use infinitic_runtime::store::redis::RedisStore;

use crate::server::{DURABLE, Owner, Server, done, id, put, remove, row_key, settings};

const NONE: CommitId = CommitId::NONE;

/// Writes until it is told to stop, as a worker does: each commit again until it is taken. Answers
/// the last confirmed row of each instance, and how often it was told to repeat.
async fn write_on(
    mut owner: Owner,
    mut stop: tokio::sync::oneshot::Receiver<()>,
) -> (BTreeMap<InstanceId, (u32, CommitId)>, u64) {
    const INSTANCES: u64 = 40;
    let mut last: BTreeMap<InstanceId, (u32, CommitId)> = BTreeMap::new();
    let (mut round, mut repeated) = (0, 0);
    while stop.try_recv().is_err() {
        round += 1;
        let ids = (0..20).map(|n| id((round * 7 + n) % INSTANCES));
        let rows: Vec<_> = ids
            .map(|id| match last.get(&id) {
                Some((row, commit)) => (id, row + 1, *commit),
                None => (id, 0, NONE),
            })
            .collect();
        let key = round.to_be_bytes();
        let mut ops = vec![
            put(Table::Open, &key, b"x"),
            put(Table::Meta, b"last", &key),
        ];
        if round > 10 {
            ops.push(remove(Table::Open, &(round - 10).to_be_bytes()));
        }
        let commit = owner.commit(&rows, ops);
        loop {
            match owner.store.write(vec![commit.clone()]).await {
                Ok(written) => break assert_eq!(written, [done()]),
                Err(StoreError::Io(_)) => repeated += 1,
                Err(error) => panic!("{error}"),
            }
            tokio::task::yield_now().await;
        }
        for (id, row, _) in rows {
            last.insert(id, (row, commit.commit));
        }
    }
    (last, repeated)
}

async fn assert_all_there(owner: &Owner, last: &BTreeMap<InstanceId, (u32, CommitId)>) {
    let ids = last.keys().copied().collect();
    let rows = owner.store.histories(&owner.part, ids).await.unwrap();
    let mut found = BTreeMap::new();
    let mut after = NONE;
    for row in &rows {
        let expected = match found.get(&row.id) {
            Some((before, _)) => before + 1,
            None => 0,
        };
        after = if expected == 0 { NONE } else { after };
        assert_eq!((row.row, row.after), (expected, after));
        after = row.commit;
        found.insert(row.id, (row.row, row.commit));
    }
    assert_eq!(found, *last);
    assert!(owner.table(Table::Open).await.len() <= 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_to_kills() {
    let Some(mut server) = Server::start(DURABLE) else {
        return;
    };
    for round in 0..8 {
        let owner = Owner::of(server.store().await, "m1").await;
        let count = owner.store.counters();
        let store = owner.store.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let writing = tokio::spawn(write_on(owner, stopped));
        let more_than = async |commits: u64| {
            while store.counters().commits < commits {
                tokio::task::yield_now().await;
            }
        };
        more_than(count.commits + 20 + round * 5).await;
        server = tokio::task::spawn_blocking(move || {
            server.kill_and_start();
            server
        })
        .await
        .unwrap();
        let before = store.counters().commits;
        more_than(before + 5).await;
        stop.send(()).unwrap();
        let (last, repeated) = writing.await.unwrap();
        assert!(repeated > 0, "the kill was noticed");
        let owner = Owner::of(server.store().await, "m1").await;
        assert_all_there(&owner, &last).await;
        erase(owner).await;
    }
}

/// Removes all rows.
async fn erase(mut owner: Owner) {
    let mut ops = Vec::new();
    for table in Table::ALL {
        let rows = owner.table(table).await;
        ops.extend(rows.iter().map(|(key, _)| remove(table, key)));
    }
    let commit = owner.commit(&[], ops);
    assert_eq!(owner.write(&commit).await, done());
}

#[tokio::test]
async fn a_purge_leaves_no_key_behind() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut owner = Owner::of(server.store().await, "m1").await;
    let empty: u64 = server.call(&["DBSIZE"]).await;
    let mut last = NONE;
    for row in 0..30 {
        let rows: Vec<_> = (0..50).map(|n| (id(n), row, last)).collect();
        let tables = [Table::Open, Table::Timers, Table::Purge, Table::DeadLetters];
        let ops = tables.map(|table| put(table, &[row as u8, 0, 0xff], b"v"));
        let commit = owner.commit(&rows, ops.to_vec());
        assert_eq!(owner.write(&commit).await, done());
        last = commit.commit;
    }
    // In pieces, from the middle, as a purge that was interrupted leaves it.
    let some = (10..30).map(|row| remove(Table::History, &row_key(id(3), row)));
    let commit = owner.commit(&[], some.collect());
    assert_eq!(owner.write(&commit).await, done());
    assert_eq!(owner.table(Table::History).await.len(), 50 * 30 - 20);
    let some = (0..5).map(|row| remove(Table::History, &row_key(id(3), row)));
    let commit = owner.commit(&[], some.collect());
    assert_eq!(owner.write(&commit).await, done());
    let rows = owner
        .store
        .histories(&owner.part, vec![id(3)])
        .await
        .unwrap();
    assert!(rows.iter().map(|row| row.row).eq(5..10));
    erase(owner).await;
    let left: u64 = server.call(&["DBSIZE"]).await;
    assert_eq!(left, empty);
}

#[tokio::test]
async fn forgotten_scripts_are_given_again() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut owner = Owner::of(server.store().await, "m1").await;
    for row in 0..3 {
        let () = server.call(&["SCRIPT", "FLUSH"]).await;
        let commit = owner.commit(&[(id(row), 0, NONE)], Vec::new());
        assert_eq!(owner.write(&commit).await, done());
    }
    let () = server.call(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(owner.table(Table::History).await.len(), 3);
}

#[tokio::test]
async fn full_memory_is_waited_for() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut owner = Owner::of(server.store().await, "m1").await;
    let first = owner.commit(&[(id(1), 0, NONE), (id(2), 0, NONE)], Vec::new());
    assert_eq!(owner.write(&first).await, done());
    let () = server.call(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let ops = vec![put(Table::Open, b"k", b"v")];
    let commit = owner.commit(&[(id(1), 1, first.commit), (id(3), 0, NONE)], ops);
    for _ in 0..3 {
        let error = owner.store.write(vec![commit.clone()]).await;
        let Err(StoreError::Io(text)) = error else {
            panic!("{error:?}");
        };
        assert!(text.contains("maxmemory"), "{text}");
    }
    assert_eq!(owner.table(Table::History).await.len(), 2);
    assert_eq!(owner.table(Table::Open).await.len(), 0);
    // What makes room is done all the same, and a partition finds an owner.
    let ops = vec![remove(Table::History, &row_key(id(2), 0))];
    let purge = PartCommit {
        history: Vec::new(),
        ops,
        ..commit.clone()
    };
    assert_eq!(owner.write(&purge).await, done());
    let () = server.call(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let commit = owner.commit(&[(id(1), 1, first.commit), (id(3), 0, NONE)], Vec::new());
    assert_eq!(owner.write(&commit).await, done());
}

#[tokio::test]
async fn a_key_of_something_else_is_found_before_anything_is_written() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut owner = Owner::of(server.store().await, "m1").await;
    let () = server
        .call(&["SET", "{infinitic/Orders/0}:k:timers", "mine"])
        .await;
    let ops = vec![put(Table::Open, b"k", b"v"), put(Table::Timers, b"k", b"v")];
    let commit = owner.commit(&[(id(1), 0, NONE)], ops);
    let error = owner.store.write(vec![commit.clone()]).await;
    let Err(StoreError::Damaged(text)) = error else {
        panic!("{error:?}");
    };
    assert!(text.contains("prefix"), "{text}");
    assert_eq!(owner.table(Table::History).await.len(), 0);
    assert_eq!(owner.table(Table::Open).await.len(), 0);
    let () = server.call(&["DEL", "{infinitic/Orders/0}:k:timers"]).await;
    assert_eq!(owner.write(&commit).await, done());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_fails_calls_in_time() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let hasty = settings(&server.url()).timeout(Duration::from_millis(400));
    let mut owner = Owner::of(RedisStore::open(&hasty).await.unwrap(), "m1").await;
    let first = owner.commit(&[(id(1), 0, NONE)], vec![put(Table::Open, b"k", b"old")]);
    server.signal("-STOP");
    let store = Arc::clone(&owner.store);
    // Many at once, so that each would wait for the others' attempts to connect.
    let calls = (0..20).map(|_| {
        let (store, first) = (store.clone(), first.clone());
        tokio::spawn(async move { store.write(vec![first]).await })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        let error = tokio::time::timeout(Duration::from_secs(10), call).await;
        let error = error.expect("it ends").unwrap();
        let Err(StoreError::Io(text)) = error else {
            panic!("{error:?}");
        };
        let is_late = text.contains("no answer within") || text.contains("no connection within");
        assert!(is_late, "{text}");
    }
    server.signal("-CONT");
    // The calls that were given up arrive now, before and after newer ones.
    while owner.store.write(vec![first.clone()]).await.is_err() {}
    for value in [b"new", b"odd"] {
        let second = owner.commit(&[], vec![put(Table::Open, b"k", value)]);
        while owner.store.write(vec![second.clone()]).await.is_err() {}
    }
    assert_eq!(&owner.table(Table::Open).await[0].1[..], b"odd");
    assert_eq!(owner.table(Table::History).await.len(), 1);
}

#[tokio::test]
async fn two_owners_of_one_epoch_are_kept_apart() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut old = Owner::of(server.store().await, "old").await;
    // A failover takes the claim back, which the replica had not received.
    let () = server.call(&["DEL", "{infinitic/Orders/0}:state"]).await;
    let mut new = Owner::of(server.store().await, "new").await;
    assert_eq!(old.epoch, new.epoch);
    let commit = old.commit(&[(id(1), 0, NONE)], Vec::new());
    assert_eq!(old.write(&commit).await, Written::NotOwner);
    let commit = new.commit(&[(id(2), 0, NONE)], Vec::new());
    assert_eq!(new.write(&commit).await, done());
    // It has the number of the new owner's commit; it is not that one.
    let commit = PartCommit {
        commit: commit.commit,
        ..old.commit(&[(id(2), 0, NONE)], Vec::new())
    };
    assert_eq!(old.write(&commit).await, Written::NotOwner);
    assert_eq!(new.table(Table::History).await.len(), 1);
}

#[tokio::test]
async fn a_primary_that_becomes_a_replica_is_waited_for() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let mut owner = Owner::of(server.store().await, "m1").await;
    let () = server.call(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let commit = owner.commit(&[(id(1), 0, NONE)], Vec::new());
    let error = owner.store.write(vec![commit.clone()]).await;
    let Err(StoreError::Io(text)) = error else {
        panic!("{error:?}");
    };
    assert!(text.contains("primary"), "{text}");
    let () = server.call(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(owner.write(&commit).await, done());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let owner = Owner::of(server.store().await, "m1").await;
    owner.store.close().await;
    let error = owner.store.release(&owner.part, owner.epoch).await;
    assert!(matches!(error, Err(StoreError::Io(text)) if text.contains("closed")));
}

#[tokio::test]
async fn a_system_is_erased_and_no_other() {
    let Some(server) = Server::start(DURABLE) else {
        return;
    };
    let prefixes = ["a", "a*", "a:b", "[a]", "aa"];
    for prefix in prefixes {
        let settings = settings(&server.url()).prefix(prefix);
        let mut owner = Owner::of(RedisStore::open(&settings).await.unwrap(), "m1").await;
        let ops = (0..2_000u32).map(|n| put(Table::Open, &n.to_be_bytes(), b""));
        let commit = owner.commit(&[(id(1), 0, NONE)], ops.collect());
        assert_eq!(owner.write(&commit).await, done());
    }
    let each = server.call::<usize>(&["DBSIZE"]).await / prefixes.len();
    for (prefix, left) in prefixes.iter().zip((0..prefixes.len()).rev()) {
        let settings = settings(&server.url()).prefix(*prefix);
        let store = RedisStore::open(&settings).await.unwrap();
        store.erase().await.unwrap();
        assert_eq!(
            server.call::<usize>(&["DBSIZE"]).await,
            left * each,
            "{prefix}"
        );
    }
}

/// A node that owns all slots refuses calls whose keys are in several, as every cluster does.
#[tokio::test]
async fn each_call_keeps_to_one_slot() {
    let Some(server) = Server::start(&["--cluster-enabled", "yes"]) else {
        return;
    };
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let mut words = vec!["CLUSTER", "ADDSLOTS"];
    words.extend(slots.iter().map(String::as_str));
    let () = server.call(&words).await;
    while !server
        .call::<String>(&["CLUSTER", "INFO"])
        .await
        .contains("cluster_state:ok")
    {
        tokio::task::yield_now().await;
    }
    let mut owner = Owner::of(server.store().await, "m1").await;
    let ops = Table::ALL
        .into_iter()
        .filter(|table| *table != Table::History);
    let ops = ops.map(|table| put(table, b"k", b"v"));
    let first = owner.commit(&[(id(1), 0, NONE), (id(2), 0, NONE)], ops.collect());
    assert_eq!(owner.write(&first).await, done());
    let ops = vec![remove(Table::History, &row_key(id(2), 0))];
    let commit = owner.commit(&[(id(1), 1, first.commit)], ops);
    assert_eq!(owner.write(&commit).await, done());
    let histories = owner.store.histories(&owner.part, vec![id(1), id(2)]);
    assert_eq!(histories.await.unwrap().len(), 2);
    assert_eq!(owner.table(Table::History).await.len(), 2);
    assert_eq!(owner.table(Table::Timers).await.len(), 1);
    owner.store.release(&owner.part, owner.epoch).await.unwrap();
    owner.store.leave(&MemberId("m1".to_owned())).await.unwrap();
    owner.store.erase().await.unwrap();
    assert_eq!(server.call::<u64>(&["DBSIZE"]).await, 0);
}
