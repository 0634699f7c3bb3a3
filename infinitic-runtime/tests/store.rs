//! What every store must do, each test with one body for all of them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use infinitic_runtime::backend::memory::MemoryStore;
use infinitic_runtime::backend::{KeyValue, RowOp, Table};
#[cfg(feature = "embedded")]
use infinitic_runtime::embedded::EmbeddedStore;

/// Runs `check` on each store there is.
fn each_store(check: impl Fn(&dyn KeyValue)) {
    check(&MemoryStore::default());
    #[cfg(feature = "embedded")]
    {
        let dir = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(dir.path().join("data")).unwrap();
        check(&store);
        store.close();
    }
}

fn put(table: Table, key: &str, value: &str) -> RowOp {
    let (key, value) = (
        Bytes::copy_from_slice(key.as_bytes()),
        Bytes::copy_from_slice(value.as_bytes()),
    );
    RowOp {
        table,
        key,
        value: Some(value),
    }
}

fn remove(table: Table, key: &str) -> RowOp {
    RowOp {
        table,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: None,
    }
}

fn rows(store: &dyn KeyValue, table: Table, from: &str, to: Option<&str>) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    store
        .scan(
            table,
            from.as_bytes(),
            to.map(str::as_bytes),
            &mut |key, value| {
                rows.push((text(key), text(value)));
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    rows
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn an_empty_store_has_no_rows_and_no_batches() {
    each_store(|store| {
        assert_eq!(store.last_batch(), 0);
        for table in Table::ALL {
            assert_eq!(store.get(table, b"a").unwrap(), None);
            assert_eq!(rows(store, table, "", None), []);
        }
    });
}

#[test]
fn a_batch_is_read_back_and_counted() {
    each_store(|store| {
        store
            .write(1, &[put(Table::Meta, "a", "1"), put(Table::Open, "a", "2")])
            .unwrap();
        assert_eq!(store.last_batch(), 1);
        assert_eq!(store.get(Table::Meta, b"a").unwrap().unwrap(), "1");
        assert_eq!(store.get(Table::Open, b"a").unwrap().unwrap(), "2");
        assert_eq!(store.get(Table::Timers, b"a").unwrap(), None);
        let counters = store.counters();
        assert_eq!((counters.rows, counters.bytes), (2, 4));
    });
}

#[test]
fn the_last_change_of_a_row_in_a_batch_wins() {
    each_store(|store| {
        let batch = [
            put(Table::Open, "kept", "old"),
            put(Table::Open, "gone", "x"),
            remove(Table::Open, "kept"),
            remove(Table::Open, "gone"),
            put(Table::Open, "kept", "new"),
        ];
        store.write(1, &batch).unwrap();
        assert_eq!(rows(store, Table::Open, "", None), [pair("kept", "new")]);
    });
}

#[test]
fn rows_are_replaced_and_removed() {
    each_store(|store| {
        store
            .write(1, &[put(Table::Open, "a", "1"), put(Table::Open, "b", "1")])
            .unwrap();
        store
            .write(2, &[put(Table::Open, "a", "2"), remove(Table::Open, "b")])
            .unwrap();
        store
            .write(3, &[remove(Table::Open, "never there")])
            .unwrap();
        assert_eq!(rows(store, Table::Open, "", None), [pair("a", "2")]);
        assert_eq!(store.get(Table::Open, b"b").unwrap(), None);
        assert_eq!(store.last_batch(), 3);
    });
}

#[test]
fn empty_values_and_empty_batches_are_fine() {
    each_store(|store| {
        store.write(1, &[]).unwrap();
        store.write(2, &[put(Table::Timers, "a", "")]).unwrap();
        assert_eq!(store.last_batch(), 2);
        assert_eq!(store.get(Table::Timers, b"a").unwrap().unwrap(), "");
    });
}

#[test]
fn a_scan_has_an_inclusive_start_and_an_exclusive_end() {
    each_store(|store| {
        let batch: Vec<_> = ["a", "aa", "b", "c"]
            .map(|key| put(Table::Purge, key, key))
            .into();
        store.write(1, &batch).unwrap();
        let keys = |from, to| -> Vec<String> {
            rows(store, Table::Purge, from, to)
                .into_iter()
                .map(|(key, _)| key)
                .collect()
        };
        assert_eq!(keys("", None), ["a", "aa", "b", "c"]);
        assert_eq!(keys("aa", Some("c")), ["aa", "b"]);
        assert_eq!(keys("a", Some("a")), [""; 0]);
        assert_eq!(keys("c", Some("a")), [""; 0]);
        assert_eq!(keys("d", None), [""; 0]);
    });
}

#[test]
fn a_scan_ends_when_told_and_may_read_meanwhile() {
    each_store(|store| {
        let batch: Vec<_> = (0..5000)
            .map(|i| put(Table::History, &format!("{i:05}"), "value"))
            .collect();
        store.write(1, &batch).unwrap();
        let mut seen = 0;
        store
            .scan(Table::History, b"", None, &mut |key, value| {
                assert_eq!(key, format!("{seen:05}").as_bytes());
                assert_eq!(store.get(Table::History, key).unwrap().unwrap(), value);
                seen += 1;
                if seen == 3333 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
        assert_eq!(seen, 3333);
        assert_eq!(rows(store, Table::History, "", None).len(), 5000);
    });
}

#[test]
fn keys_sort_as_bytes() {
    each_store(|store| {
        let keys: Vec<Vec<u8>> = vec![
            vec![0],
            vec![0, 0],
            vec![0, 1],
            vec![1],
            vec![255],
            vec![255, 0],
        ];
        let batch: Vec<_> = keys
            .iter()
            .rev()
            .map(|key| RowOp {
                table: Table::Meta,
                key: key.clone().into(),
                value: Some(Bytes::new()),
            })
            .collect();
        store.write(1, &batch).unwrap();
        let mut seen = Vec::new();
        store
            .scan(Table::Meta, &[], None, &mut |key, _| {
                seen.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(seen, keys);
    });
}

#[test]
fn random_batches_leave_what_a_map_would_hold() {
    each_store(|store| {
        let mut model = BTreeMap::new();
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        for number in 1..=300 {
            let batch: Vec<_> = (0..next(30))
                .map(|_| {
                    let key = format!("{:03}", next(200));
                    if next(3) == 0 {
                        model.remove(&key);
                        remove(Table::History, &key)
                    } else {
                        let value = format!("{number}.{}", "x".repeat(next(300) as usize));
                        model.insert(key.clone(), value.clone());
                        put(Table::History, &key, &value)
                    }
                })
                .collect();
            store.write(number, &batch).unwrap();
        }
        let expected: Vec<_> = model.into_iter().collect();
        assert_eq!(rows(store, Table::History, "", None), expected);
    });
}

#[test]
fn a_value_of_100_megabytes_comes_back() {
    each_store(|store| {
        let value: Bytes = (0..100_000_000_u32)
            .map(|i| (i.wrapping_mul(97) >> 7) as u8)
            .collect();
        let op = RowOp {
            table: Table::History,
            key: "big".into(),
            value: Some(value.clone()),
        };
        store.write(1, &[op]).unwrap();
        store
            .write(2, &[put(Table::History, "small", "x")])
            .unwrap();
        assert!(store.get(Table::History, b"big").unwrap().unwrap() == value);
        let mut sizes = Vec::new();
        store
            .scan(Table::History, b"", None, &mut |_, value| {
                sizes.push(value.len());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(sizes, [100_000_000, 1]);
    });
}
