//! The rows of an instance are a chain.

use infinitic_runtime::backend::Table;
use infinitic_runtime::cluster::store::CommitId;

use crate::lab::{Lab, Owner, done, id, lost, put};

const NONE: CommitId = CommitId::NONE;

/// Numbers of the rows of an instance.
async fn rows(owner: &Owner, n: u64) -> Vec<u32> {
    let rows = owner.history(id(n)).await;
    rows.iter().map(|row| row.row).collect()
}

pub(crate) async fn a_wrong_predecessor_loses(lab: &Lab) {
    let mut owner = lab.owner().await;
    let first = owner.append(&[(id(1), 0, NONE)]).await;
    let other = owner.append(&[(id(2), 0, NONE)]).await;
    for after in [other, NONE, CommitId(first.0 + 100)] {
        let commit = owner.commit(&[(id(1), 1, after)], Vec::new());
        assert_eq!(owner.write(&commit).await, lost(&[id(1)]), "{after:?}");
    }
    assert_eq!(rows(&owner, 1).await, [0]);
    owner.append(&[(id(1), 1, first)]).await;
}

pub(crate) async fn a_second_first_row_loses(lab: &Lab) {
    let mut owner = lab.owner().await;
    let first = owner.append(&[(id(1), 0, NONE)]).await;
    let commit = owner.commit(&[(id(1), 0, NONE)], Vec::new());
    assert_eq!(owner.write(&commit).await, lost(&[id(1)]));
    let kept = owner.history(id(1)).await;
    assert_eq!((kept.len(), kept[0].commit), (1, first));
}

pub(crate) async fn a_gap_loses(lab: &Lab) {
    let mut owner = lab.owner().await;
    let first = owner.append(&[(id(1), 0, NONE)]).await;
    let commit = owner.commit(&[(id(1), 2, first), (id(2), 1, NONE)], Vec::new());
    assert_eq!(owner.write(&commit).await, lost(&[id(1), id(2)]));
    assert_eq!(rows(&owner, 1).await, [0]);
    assert_eq!(rows(&owner, 2).await, [0; 0]);
}

pub(crate) async fn a_row_that_is_there_loses(lab: &Lab) {
    let mut owner = lab.owner().await;
    let first = owner.append(&[(id(1), 0, NONE)]).await;
    let second = owner.append(&[(id(1), 1, first)]).await;
    owner.append(&[(id(1), 2, second)]).await;
    let commit = owner.commit(&[(id(1), 1, first)], Vec::new());
    assert_eq!(owner.write(&commit).await, lost(&[id(1)]));
    let commit = owner.commit(&[(id(1), 2, second)], Vec::new());
    assert_eq!(owner.write(&commit).await, lost(&[id(1)]));
    assert_eq!(rows(&owner, 1).await, [0, 1, 2]);
}

pub(crate) async fn a_loser_keeps_the_others(lab: &Lab) {
    let store = lab.handle().await;
    let mut a = Owner::of(store.clone(), "A", "m1").await;
    let mut b = Owner::of(store.clone(), "B", "m1").await;
    let first = a.append(&[(id(1), 0, NONE), (id(2), 0, NONE)]).await;
    let wrong = CommitId(first.0 + 7);
    let ops = vec![put(Table::Open, b"k", b"v")];
    let of_a = a.commit(
        &[(id(2), 1, wrong), (id(1), 1, first), (id(3), 0, NONE)],
        ops,
    );
    // The same instance number elsewhere is another chain.
    let of_b = b.commit(&[(id(2), 0, NONE)], Vec::new());
    let written = store.write(vec![of_a.clone(), of_b]).await.unwrap();
    assert_eq!(written, [lost(&[id(2)]), done()]);
    assert_eq!(rows(&a, 1).await, [0, 1]);
    assert_eq!(rows(&a, 2).await, [0]);
    assert_eq!(rows(&a, 3).await, [0]);
    assert_eq!(rows(&b, 2).await, [0]);
    assert_eq!(a.table(Table::Open).await.len(), 1);
    // The chain of the loser goes on from where it was, the others from what won.
    a.append(&[(id(2), 1, first), (id(1), 2, of_a.commit)])
        .await;
}

pub(crate) async fn the_rows_of_a_long_history_follow_each_other(lab: &Lab) {
    const ROWS: u32 = 600;
    let mut owner = lab.owner().await;
    let mut last = NONE;
    for row in 0..ROWS {
        last = owner.append(&[(id(5), row, last)]).await;
    }
    let rows = owner.history(id(5)).await;
    assert_eq!(rows.len(), ROWS as usize);
    let mut after = NONE;
    for (row, n) in rows.iter().zip(0..) {
        assert_eq!((row.row, row.after), (n, after));
        after = row.commit;
    }
    assert_eq!(after, last);
}
