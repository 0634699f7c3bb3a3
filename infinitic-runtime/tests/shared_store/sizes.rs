//! Much at once.

use bytes::Bytes;
use infinitic_core::InstanceId;
use infinitic_runtime::backend::Table;
use infinitic_runtime::cluster::store::CommitId;

use crate::lab::{Lab, Owner, done, history_key, id, put, remove};

const NONE: CommitId = CommitId::NONE;

/// Bytes that no compression makes small.
fn noise(len: usize, seed: u64) -> Bytes {
    let words = (0..len as u64 / 8 + 1).flat_map(|n| id(seed).mixed(n).to_le_bytes());
    words.take(len).collect()
}

pub(crate) async fn large_values_come_back(lab: &Lab) {
    const SIZES: [usize; 4] = [3_000, 1 << 20, 5 << 20, 9 << 20];
    let mut owner = lab.owner().await;
    for (n, size) in (1..).zip(SIZES) {
        let value = noise(size, n);
        let ops = vec![put(Table::DeadLetters, &n.to_be_bytes(), &value)];
        let mut commit = owner.commit(&[(id(n), 0, NONE)], ops);
        commit.history[0].value = value.clone();
        assert_eq!(owner.write(&commit).await, done());
        assert!(owner.history(id(n)).await[0].value == value);
    }
    let rows = owner.table(Table::DeadLetters).await;
    let sizes = rows.iter().map(|(_, value)| value.len());
    assert!(sizes.eq(SIZES));
    let rows = owner.table(Table::History).await;
    assert!(rows.iter().map(|(_, value)| value.len()).eq(SIZES));
    // Together they are more than a packet may be.
    let commit = owner.commit(
        &[(id(11), 0, NONE), (id(12), 0, NONE), (id(13), 0, NONE)],
        (0..4u8)
            .map(|n| put(Table::Timers, &[n], &noise(8 << 20, 20)))
            .collect(),
    );
    let mut commit = commit;
    for row in &mut commit.history {
        row.value = noise(8 << 20, 30);
    }
    assert_eq!(owner.write(&commit).await, done());
    assert_eq!(owner.history(id(13)).await[0].value.len(), 8 << 20);
    let page = owner
        .store
        .page(&owner.part, Table::Timers, Bytes::new(), None, 9);
    assert_eq!(page.await.unwrap().len(), 4);
}

pub(crate) async fn ten_thousand_rows_in_one_write(lab: &Lab) {
    const PARTS: u64 = 4;
    const EACH: u64 = 2_500;
    let store = lab.handle().await;
    let mut owners = Vec::new();
    for n in 0..PARTS {
        owners.push(Owner::of(store.clone(), &format!("W{n}"), "m1").await);
    }
    let mut last = vec![NONE; owners.len()];
    for row in 0..2 {
        let commits = owners.iter_mut().zip(&last).map(|(owner, last)| {
            let rows: Vec<_> = (0..EACH).map(|n| (id(n), row, *last)).collect();
            owner.commit(&rows, Vec::new())
        });
        let commits: Vec<_> = commits.collect();
        last = commits.iter().map(|commit| commit.commit).collect();
        let written = store.write(commits).await.unwrap();
        assert_eq!(written, vec![done(); owners.len()]);
    }
    let ids: Vec<InstanceId> = (0..EACH).map(id).collect();
    for owner in &mut owners {
        let rows = store.histories(&owner.part, ids.clone()).await.unwrap();
        assert_eq!(rows.len() as u64, 2 * EACH);
        let puts = (0..EACH).map(|n| put(Table::Open, id(n).as_bytes(), b""));
        let removes = rows
            .iter()
            .map(|row| remove(Table::History, &history_key(row.id, row.row)));
        let ops = puts.chain(removes).collect();
        owner.index(ops).await;
        assert_eq!(owner.table(Table::History).await, []);
        assert_eq!(owner.table(Table::Open).await.len() as u64, EACH);
        let ops = (0..EACH).map(|n| remove(Table::Open, id(n).as_bytes()));
        owner.index(ops.collect()).await;
        assert_eq!(owner.table(Table::Open).await, []);
    }
}

pub(crate) async fn keys_may_be_long(lab: &Lab) {
    let mut owner = lab.owner().await;
    let keys = [noise(512, 1), noise(1024, 2)];
    let ops = keys.iter().map(|key| put(Table::Timers, key, key));
    owner.index(ops.collect()).await;
    let rows = owner.table(Table::Timers).await;
    assert!(rows.len() == 2 && rows.iter().all(|(key, value)| key == value));
    owner.index(vec![remove(Table::Timers, &keys[0])]).await;
    assert_eq!(owner.table(Table::Timers).await.len(), 1);
}
