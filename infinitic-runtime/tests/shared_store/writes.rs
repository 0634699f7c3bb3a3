//! Rows that are written come back, and only they.

use bytes::Bytes;
use infinitic_core::InstanceId;
use infinitic_runtime::backend::Table;
use infinitic_runtime::cluster::store::{CommitId, Part, Written};

use crate::lab::{Lab, Owner, done, history_key, id, put, remove, value_of};

const NONE: CommitId = CommitId::NONE;

pub(crate) async fn rows_come_back(lab: &Lab) {
    let mut owner = lab.owner().await;
    let ops = vec![
        put(Table::Open, b"a", b""),
        put(Table::Meta, b"k", b"one"),
        put(Table::Timers, b"t", b"x"),
    ];
    let commit = owner.commit(&[(id(1), 0, NONE), (id(2), 0, NONE)], ops);
    assert_eq!(owner.write(&commit).await, done());
    let first = commit.commit;
    let ops = vec![
        put(Table::Meta, b"k", b"two"),
        remove(Table::Timers, b"t"),
        put(Table::DeadLetters, b"d", b"y"),
    ];
    let commit = owner.commit(&[(id(1), 1, first)], ops);
    assert_eq!(owner.write(&commit).await, done());

    let rows = owner.history(id(1)).await;
    let told: Vec<_> = rows
        .iter()
        .map(|r| (r.id, r.row, r.after, r.commit))
        .collect();
    let second = commit.commit;
    assert_eq!(told, [(id(1), 0, NONE, first), (id(1), 1, first, second)]);
    assert_eq!(rows[1].value, value_of(id(1), 1, second));
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(owner.table(Table::Open).await, [row(b"a", b"")]);
    assert_eq!(owner.table(Table::Meta).await, [row(b"k", b"two")]);
    assert_eq!(owner.table(Table::Timers).await, []);
    assert_eq!(owner.table(Table::Purge).await, []);
    assert_eq!(owner.table(Table::DeadLetters).await, [row(b"d", b"y")]);
    let keys = owner
        .table(Table::History)
        .await
        .into_iter()
        .map(|(k, _)| k);
    let expected = [(1, 0), (1, 1), (2, 0)].map(|(n, row)| history_key(id(n), row));
    assert!(keys.eq(expected));
}

pub(crate) async fn several_partitions_are_written_at_once(lab: &Lab) {
    let store = lab.handle().await;
    let mut owners = Vec::new();
    for n in (0..20).rev() {
        owners.push(Owner::of(store.clone(), &format!("W{n}"), "m1").await);
    }
    let commits = owners.iter_mut().zip(0..).map(|(owner, n)| {
        let rows: Vec<_> = (0..=n).map(|n| (id(n), 0, NONE)).collect();
        owner.commit(&rows, vec![put(Table::Open, &[n as u8], b"")])
    });
    let commits = commits.collect();
    let written = store.write(commits).await.unwrap();
    assert_eq!(written, vec![done(); 20]);
    for (n, owner) in owners.iter().enumerate() {
        assert_eq!(owner.table(Table::History).await.len(), n + 1);
        assert_eq!(owner.table(Table::Open).await[0].0, [n as u8]);
    }
}

pub(crate) async fn the_last_op_of_a_key_counts(lab: &Lab) {
    let mut owner = lab.owner().await;
    owner.index(vec![put(Table::Open, b"old", b"0")]).await;
    let ops = vec![
        put(Table::Open, b"a", b"1"),
        remove(Table::Open, b"a"),
        put(Table::Open, b"a", b"2"),
        put(Table::Open, b"b", b"1"),
        remove(Table::Open, b"b"),
        remove(Table::Open, b"old"),
        put(Table::Open, b"old", b"3"),
        put(Table::Meta, b"b", b"4"),
    ];
    owner.index(ops).await;
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(
        owner.table(Table::Open).await,
        [row(b"a", b"2"), row(b"old", b"3")]
    );
    assert_eq!(owner.table(Table::Meta).await, [row(b"b", b"4")]);
}

pub(crate) async fn removing_what_is_not_there_is_fine(lab: &Lab) {
    let mut owner = lab.owner().await;
    let ops = vec![
        remove(Table::Open, b"x"),
        remove(Table::History, &history_key(id(1), 0)),
    ];
    owner.index(ops).await;
    assert_eq!(owner.table(Table::Open).await, []);
}

pub(crate) async fn nothing_is_written_for_nothing(lab: &Lab) {
    let mut owner = lab.owner().await;
    assert_eq!(owner.store.write(Vec::new()).await.unwrap(), []);
    let commit = owner.commit(&[], Vec::new());
    assert_eq!(owner.write(&commit).await, done());
    let none = owner.store.histories(&owner.part, Vec::new()).await;
    assert_eq!(none.unwrap(), []);
}

pub(crate) async fn partitions_and_tables_are_apart(lab: &Lab) {
    let store = lab.handle().await;
    let mut a = Owner::of(store.clone(), "A", "m1").await;
    let mut b = Owner::of(store.clone(), "B", "m1").await;
    a.append(&[(id(1), 0, NONE)]).await;
    a.index(vec![
        put(Table::Open, b"k", b"open"),
        put(Table::Purge, b"k", b"purge"),
    ])
    .await;
    assert_eq!(b.table(Table::Open).await, []);
    assert_eq!(b.history(id(1)).await, []);
    b.index(vec![
        remove(Table::Open, b"k"),
        remove(Table::History, &history_key(id(1), 0)),
    ])
    .await;
    a.index(vec![remove(Table::Purge, b"k")]).await;
    assert_eq!(a.table(Table::Open).await.len(), 1);
    assert_eq!(a.history(id(1)).await.len(), 1);
    let unknown = Part {
        number: 7,
        ..a.part.clone()
    };
    assert_eq!(store.histories(&unknown, vec![id(1)]).await.unwrap(), []);
    let rows = store.page(&unknown, Table::Open, Bytes::new(), None, 10);
    assert_eq!(rows.await.unwrap(), []);
}

pub(crate) async fn a_purged_instance_leaves_nothing(lab: &Lab) {
    let mut owner = lab.owner().await;
    let ids: Vec<InstanceId> = (1..4).map(id).collect();
    let mut last = NONE;
    for row in 0..5 {
        let rows: Vec<_> = ids.iter().map(|id| (*id, row, last)).collect();
        last = owner.append(&rows).await;
    }
    let ops = (0..5).map(|row| remove(Table::History, &history_key(ids[1], row)));
    let purge = owner.commit(&[(ids[0], 5, last)], ops.collect());
    assert_eq!(owner.write(&purge).await, done());
    assert_eq!(owner.write(&purge).await, done());
    assert_eq!(owner.history(ids[1]).await, []);
    assert_eq!(owner.history(ids[0]).await.len(), 6);
    assert_eq!(owner.table(Table::History).await.len(), 11);
    // It may be there again as if it had never been.
    owner.append(&[(ids[1], 0, NONE)]).await;
    assert_eq!(owner.history(ids[1]).await.len(), 1);
}

pub(crate) async fn costs_are_counted(lab: &Lab) {
    let mut owner = lab.owner().await;
    let before = owner.store.counters();
    let commit = owner.commit(
        &[(id(1), 0, NONE)],
        vec![put(Table::Open, b"key", b"value")],
    );
    let bytes = (commit.history[0].value.len() + 20 + 8) as u64;
    assert!(matches!(owner.write(&commit).await, Written::Done { .. }));
    let after = owner.store.counters();
    assert!(after.round_trips > before.round_trips);
    assert!(after.commits > before.commits);
    assert_eq!(after.rows - before.rows, 2);
    assert_eq!(after.bytes - before.bytes, bytes);
    owner.store.close().await;
}
