//! Who is no longer the owner changes nothing; what is written twice counts once.

use infinitic_runtime::backend::Table;
use infinitic_runtime::cluster::store::{CommitId, Part, Written};

use crate::lab::{Lab, Owner, done, history_key, id, lost, name, put, remove};

const NONE: CommitId = CommitId::NONE;

/// That nothing is in the partition.
async fn assert_empty(owner: &Owner) {
    for table in Table::ALL {
        assert_eq!(owner.table(table).await, [], "{table:?}");
    }
}

pub(crate) async fn an_old_epoch_writes_nothing(lab: &Lab) {
    let mut old = lab.owner().await;
    let new = old.overtaken_by("m2").await;
    let ops = vec![put(Table::Open, b"k", b"v")];
    let commit = old.commit(&[(id(1), 0, NONE)], ops);
    assert_eq!(old.write(&commit).await, Written::NotOwner);
    assert_eq!(old.write(&commit).await, Written::NotOwner);
    assert_empty(&new).await;
    // Nor does an epoch that nobody was given yet.
    let mut ahead = new.clone();
    ahead.epoch.0 += 1;
    let commit = ahead.commit(&[(id(1), 0, NONE)], Vec::new());
    assert_eq!(ahead.write(&commit).await, Written::NotOwner);
    assert_empty(&new).await;
}

pub(crate) async fn an_old_epoch_keeps_the_others(lab: &Lab) {
    let store = lab.handle().await;
    let mut old = Owner::of(store.clone(), "A", "m1").await;
    let new = old.overtaken_by("m2").await;
    let mut other = Owner::of(store.clone(), "B", "m1").await;
    let first = other.append(&[(id(1), 0, NONE)]).await;
    let of_old = old.commit(&[(id(1), 0, NONE)], vec![put(Table::Open, b"a", b"")]);
    let of_other = other.commit(
        &[(id(2), 0, NONE), (id(1), 1, NONE), (id(3), 0, NONE)],
        vec![put(Table::Open, b"b", b"")],
    );
    let written = store.write(vec![of_old, of_other]).await.unwrap();
    assert_eq!(written, [Written::NotOwner, lost(&[id(1)])]);
    assert_empty(&new).await;
    assert_eq!(other.table(Table::Open).await.len(), 1);
    assert_eq!(other.history(id(2)).await.len(), 1);
    other.append(&[(id(1), 1, first)]).await;
}

pub(crate) async fn a_claim_between_two_writes_stops_the_second(lab: &Lab) {
    let mut old = lab.owner().await;
    let first = old.append(&[(id(1), 0, NONE)]).await;
    let mut new = old.overtaken_by("m2").await;
    let late = old.commit(&[(id(1), 1, first)], vec![remove(Table::Open, b"k")]);
    assert_eq!(old.write(&late).await, Written::NotOwner);
    new.index(vec![put(Table::Open, b"k", b"")]).await;
    assert_eq!(old.write(&late).await, Written::NotOwner);
    assert_eq!(new.table(Table::Open).await.len(), 1);
    new.append(&[(id(1), 1, first)]).await;
    assert_eq!(new.history(id(1)).await.len(), 2);
}

pub(crate) async fn a_released_epoch_writes_nothing(lab: &Lab) {
    let mut owner = lab.owner().await;
    owner.store.release(&owner.part, owner.epoch).await.unwrap();
    let ops = vec![put(Table::Open, b"k", b"v")];
    let commit = owner.commit(&[(id(1), 0, NONE)], ops);
    assert_eq!(owner.write(&commit).await, Written::NotOwner);
    assert_empty(&owner).await;
}

pub(crate) async fn an_unknown_partition_is_not_owned(lab: &Lab) {
    let store = lab.handle().await;
    let mut known = Owner::of(store.clone(), "A", "m1").await;
    let mut unknown = known.clone();
    unknown.part = Part {
        workflow: name("Unknown"),
        number: 3,
    };
    let of_unknown = unknown.commit(&[(id(1), 0, NONE)], Vec::new());
    let of_known = known.commit(&[(id(1), 0, NONE)], Vec::new());
    let written = store.write(vec![of_unknown, of_known]).await.unwrap();
    assert_eq!(written, [Written::NotOwner, done()]);
}

pub(crate) async fn the_same_commits_may_be_written_again(lab: &Lab) {
    let store = lab.handle().await;
    let mut a = Owner::of(store.clone(), "A", "m1").await;
    let mut b = Owner::of(store.clone(), "B", "m1").await;
    let last = a.append(&[(id(1), 0, NONE)]).await;
    a.index(vec![put(Table::Open, b"x", b"1")]).await;
    let ops = vec![remove(Table::Open, b"x"), put(Table::Open, b"y", b"2")];
    let commits = vec![
        a.commit(&[(id(1), 1, last), (id(2), 0, NONE)], ops),
        b.commit(&[(id(1), 0, NONE)], Vec::new()),
    ];
    for _ in 0..3 {
        let written = store.write(commits.clone()).await.unwrap();
        assert_eq!(written, [done(), done()]);
    }
    // One of them again beside a new one.
    let again = commits[0].clone();
    let new = b.commit(&[(id(1), 1, commits[1].commit)], Vec::new());
    assert_eq!(
        store.write(vec![again, new]).await.unwrap(),
        [done(), done()]
    );
    assert_eq!(a.history(id(1)).await.len(), 2);
    assert_eq!(b.history(id(1)).await.len(), 2);
    assert_eq!(a.table(Table::Open).await, [(b"y".to_vec(), b"2".to_vec())]);
}

pub(crate) async fn losers_of_a_repeated_commit_are_the_same(lab: &Lab) {
    let mut owner = lab.owner().await;
    owner.append(&[(id(1), 0, NONE)]).await;
    let rows = [(id(3), 0, NONE), (id(1), 1, NONE), (id(2), 0, NONE)];
    let commit = owner.commit(&rows, Vec::new());
    for _ in 0..3 {
        assert_eq!(owner.write(&commit).await, lost(&[id(1)]));
    }
    assert_eq!(owner.history(id(2)).await.len(), 1);
}

pub(crate) async fn a_repeated_commit_counts_after_a_claim(lab: &Lab) {
    let mut old = lab.owner().await;
    let ops = vec![put(Table::Open, b"k", b"v")];
    let commit = old.commit(&[(id(1), 0, NONE)], ops);
    assert_eq!(old.write(&commit).await, done());
    let mut new = old.overtaken_by("m2").await;
    assert_eq!(old.write(&commit).await, done());
    new.index(vec![remove(Table::Open, b"k")]).await;
    assert_eq!(old.write(&commit).await, Written::NotOwner);
    assert_eq!(new.table(Table::Open).await, []);
    new.append(&[(id(1), 1, commit.commit)]).await;
}

pub(crate) async fn a_late_copy_of_an_older_commit_changes_nothing(lab: &Lab) {
    let mut owner = lab.owner().await;
    let older = owner.commit(
        &[(id(1), 0, NONE)],
        vec![put(Table::Open, b"k", b""), remove(Table::Timers, b"t")],
    );
    assert_eq!(owner.write(&older).await, done());
    let ops = vec![
        remove(Table::Open, b"k"),
        put(Table::Timers, b"t", b""),
        remove(Table::History, &history_key(id(1), 0)),
    ];
    owner.index(ops).await;
    assert_eq!(owner.write(&older).await, Written::NotOwner);
    assert_eq!(owner.table(Table::Open).await, []);
    assert_eq!(owner.table(Table::Timers).await.len(), 1);
    assert_eq!(owner.history(id(1)).await, []);
    owner.append(&[(id(1), 0, NONE)]).await;
}

pub(crate) async fn copies_that_race_write_once(lab: &Lab) {
    let mut owner = lab.owner().await;
    let copy = lab.handle().await;
    let mut last = NONE;
    for row in 0..30 {
        let rows = [(id(1), row, last), (id(2), 1, NONE)];
        let ops = vec![put(Table::Open, &[row as u8], b"")];
        let commit = owner.commit(&rows, ops);
        let copies = [&owner.store, &copy, &copy].map(|store| {
            let (store, commit) = (store.clone(), commit.clone());
            tokio::spawn(async move { store.write(vec![commit]).await.unwrap() })
        });
        for copy in copies {
            assert_eq!(copy.await.unwrap(), [lost(&[id(2)])]);
        }
        last = commit.commit;
    }
    assert_eq!(owner.history(id(1)).await.len(), 30);
    assert_eq!(owner.table(Table::Open).await.len(), 30);
}

pub(crate) async fn after_a_claim_nothing_of_the_old_owner_appears(lab: &Lab) {
    let mut old = lab.owner().await;
    let other = lab.handle().await;
    for round in 0..10 {
        let base = round * 100_000;
        let mut writer = old.clone();
        let writing = tokio::spawn(async move {
            let mut written = 0;
            loop {
                let rows: Vec<_> = (0..20)
                    .map(|n| (id(base + written * 20 + n), 0, NONE))
                    .collect();
                let commit = writer.commit(&rows, Vec::new());
                match writer.write(&commit).await {
                    Written::Done { lost } => assert_eq!(lost, []),
                    Written::NotOwner => return written,
                }
                written += 1;
            }
        });
        // The claim hits the writer at some moment of its third commit or later.
        while old.table(Table::History).await.len() < 40 {
            tokio::task::yield_now().await;
        }
        other.leave(&old.member).await.unwrap();
        let mut new = Owner::of(other.clone(), "Orders", &format!("new{round}")).await;
        let seen = new.table(Table::History).await;
        let written = writing.await.unwrap();
        let rows = new.table(Table::History).await;
        assert_eq!(rows.len(), seen.len(), "written after the claim");
        assert_eq!(
            rows.len() as u64,
            written * 20,
            "all or nothing of a commit"
        );
        let ops = rows.iter().map(|(key, _)| remove(Table::History, key));
        new.index(ops.collect()).await;
        old = new;
    }
}
