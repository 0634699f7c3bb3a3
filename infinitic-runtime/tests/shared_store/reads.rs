//! Pages and histories.

use bytes::Bytes;
use infinitic_runtime::backend::Table;
use infinitic_runtime::cluster::store::CommitId;

use crate::lab::{Lab, Owner, history_key, id, put};

const NONE: CommitId = CommitId::NONE;

async fn keys(
    owner: &Owner,
    table: Table,
    from: &[u8],
    to: Option<&[u8]>,
    limit: usize,
) -> Vec<Vec<u8>> {
    let (from, to) = (Bytes::copy_from_slice(from), to.map(Bytes::copy_from_slice));
    let rows = owner.store.page(&owner.part, table, from, to, limit).await;
    rows.unwrap().iter().map(|(key, _)| key.to_vec()).collect()
}

pub(crate) async fn pages_end_where_they_should(lab: &Lab) {
    let mut owner = lab.owner().await;
    let of = |n: u16| n.to_be_bytes();
    let ops = (0..25)
        .rev()
        .map(|n| put(Table::Timers, &of(n * 100), b"v"));
    owner.index(ops.collect()).await;
    let page = |from: u16, to: Option<u16>, limit: usize| {
        let owner = owner.clone();
        async move {
            let to = to.map(of);
            let to = to.as_ref().map(<[u8; 2]>::as_slice);
            let keys = keys(&owner, Table::Timers, &of(from), to, limit).await;
            keys.iter()
                .map(|key| u16::from_be_bytes(key[..].try_into().unwrap()))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(page(300, Some(600), 10).await, [300, 400, 500]);
    assert_eq!(page(301, Some(601), 10).await, [400, 500, 600]);
    assert_eq!(page(300, Some(600), 2).await, [300, 400]);
    assert_eq!(page(2200, None, 10).await, [2200, 2300, 2400]);
    assert_eq!(page(2500, None, 10).await, [0; 0]);
    assert_eq!(page(300, Some(300), 10).await, [0; 0]);
    assert_eq!(page(600, Some(300), 10).await, [0; 0]);
    assert_eq!(page(300, Some(600), 0).await, [0; 0]);
    // From page to page, as recovery reads.
    let (mut from, mut all) = (0, Vec::new());
    loop {
        let next = page(from, None, 7).await;
        all.extend_from_slice(&next);
        match next.last() {
            Some(last) if next.len() == 7 => from = last + 1,
            Some(_) | None => break,
        }
    }
    assert!(all.iter().copied().eq((0..25).map(|n| n * 100)));
}

pub(crate) async fn pages_of_histories_end_where_they_should(lab: &Lab) {
    let mut owner = lab.owner().await;
    let mut last = NONE;
    for row in 0..4 {
        let rows: Vec<_> = (1..4).map(|n| (id(n), row, last)).collect();
        last = owner.append(&rows).await;
    }
    let history = async |from: &[u8], to: Option<&[u8]>, limit: usize| {
        let keys = keys(&owner, Table::History, from, to, limit).await;
        let parse = |key: &Vec<u8>| {
            let n = (1..4).find(|n| key.starts_with(id(*n).as_bytes())).unwrap();
            (n, u32::from_be_bytes(key[16..].try_into().unwrap()))
        };
        keys.iter().map(parse).collect::<Vec<_>>()
    };
    let end = [&history_key(id(2), u32::MAX)[..], &[0]].concat();
    let of_two = [(2, 0), (2, 1), (2, 2), (2, 3)];
    assert_eq!(history(&history_key(id(2), 0), Some(&end), 9).await, of_two);
    assert_eq!(
        history(id(2).as_bytes(), Some(id(3).as_bytes()), 9).await,
        of_two
    );
    assert_eq!(
        history(&history_key(id(3), 2), None, 9).await,
        [(3, 2), (3, 3)]
    );
    assert_eq!(history(&end, None, 1).await, [(3, 0)]);
    let after = [&history_key(id(1), 2)[..], &[0]].concat();
    assert_eq!(history(&after, None, 2).await, [(1, 3), (2, 0)]);
    let to = history_key(id(1), 2);
    assert_eq!(history(&[], Some(&to), 9).await, [(1, 0), (1, 1)]);
    assert_eq!(history(&[], Some(&after), 9).await.len(), 3);
    assert_eq!(history(&[], None, 99).await.len(), 12);
    assert_eq!(history(&[0], Some(&[0xff; 40]), 99).await.len(), 12);
    assert_eq!(history(&[0xff; 20], None, 99).await, []);
    assert_eq!(history(&[0xff; 21], None, 99).await, []);
    assert_eq!(history(&end, Some(&to), 99).await, []);
    assert_eq!(history(&[], Some(&[]), 99).await, []);
}

pub(crate) async fn keys_are_any_bytes(lab: &Lab) {
    let mut owner = lab.owner().await;
    let mut keys: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    keys.extend((0..=255).map(|byte| vec![0, byte, 0]));
    keys.extend([vec![0xff; 9], vec![0; 9], vec![0xff, 0], vec![0xff, 0xff]]);
    keys.extend(["ä", "Ä", "a", "a ", "%", "_", "\\", "'", "\r\n"].map(|text| text.into()));
    keys.sort();
    keys.dedup();
    let ops = keys.iter().rev().map(|key| put(Table::Meta, key, key));
    owner.index(ops.collect()).await;
    let pairs: Vec<_> = keys.iter().map(|key| (key.clone(), key.clone())).collect();
    assert_eq!(owner.table(Table::Meta).await, pairs);
}

pub(crate) async fn histories_come_in_order(lab: &Lab) {
    let mut owner = lab.owner().await;
    let mut last = NONE;
    for row in 0..12 {
        let rows: Vec<_> = [9, 3, 7].map(|n| (id(n), row, last)).to_vec();
        last = owner.append(&rows).await;
    }
    let ids = vec![id(7), id(4), id(3), id(7), id(100)];
    let rows = owner.store.histories(&owner.part, ids).await.unwrap();
    let expected = [3, 7].iter().flat_map(|n| (0..12).map(|row| (id(*n), row)));
    assert!(rows.iter().map(|row| (row.id, row.row)).eq(expected));
    assert!(rows[1].after == rows[0].commit && rows[12].after == NONE);
    // Many at once, most of them unknown.
    let ids = (0..5000).map(id).collect();
    let rows = owner.store.histories(&owner.part, ids).await.unwrap();
    assert_eq!(rows.len(), 36);
}

pub(crate) async fn other_handles_see_the_same(lab: &Lab) {
    let mut owner = lab.owner().await;
    let last = owner.append(&[(id(1), 0, NONE)]).await;
    owner.index(vec![put(Table::Open, b"k", b"v")]).await;
    let mut other = owner.clone();
    other.store = lab.handle().await;
    assert_eq!(other.history(id(1)).await, owner.history(id(1)).await);
    assert_eq!(other.table(Table::Open).await.len(), 1);
    other.append(&[(id(1), 1, last)]).await;
    assert_eq!(owner.history(id(1)).await.len(), 2);
}
