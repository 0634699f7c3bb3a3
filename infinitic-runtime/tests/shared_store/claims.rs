//! Who owns a partition.

use std::time::Duration;

use infinitic_runtime::backend::StoreError;
use infinitic_runtime::cluster::store::{Epoch, Part};

use crate::lab::{LONG, Lab, beat, first_part, member, name};

pub(crate) async fn each_claim_has_a_higher_epoch(lab: &Lab) {
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    let mut last = Epoch(0);
    for round in 0..6 {
        let who = if round % 3 == 2 { "m2" } else { "m1" };
        beat(&store, who, "Orders", LONG).await;
        let claim = store.claim(&part, &member(who)).await.unwrap().unwrap();
        assert!(claim.epoch > last);
        last = claim.epoch;
        let fleet = beat(&store, who, "Orders", LONG).await;
        assert_eq!(fleet.parts[0].epoch, last);
        assert_eq!(fleet.parts[0].owner, Some(member(who)));
        if round % 3 != 0 {
            store.release(&part, last).await.unwrap();
        }
    }
}

pub(crate) async fn one_of_many_wins(lab: &Lab) {
    let stores = [lab.handle().await, lab.handle().await, lab.handle().await];
    let workflow = name("Orders");
    stores[0].parts(&workflow, 10).await.unwrap();
    for (n, store) in stores.iter().enumerate() {
        beat(store, &format!("m{n}"), "Orders", LONG).await;
    }
    for number in 0..10 {
        let workflow = workflow.clone();
        let part = Part { workflow, number };
        let claim = |n: usize| {
            let (store, part) = (stores[n].clone(), part.clone());
            tokio::spawn(async move { store.claim(&part, &member(&format!("m{n}"))).await })
        };
        let claims = [claim(0), claim(1), claim(2)];
        let mut winners = 0;
        for claim in claims {
            if let Some(claim) = claim.await.unwrap().unwrap() {
                winners += 1;
                assert_eq!(claim.before, None);
            }
        }
        assert_eq!(winners, 1);
    }
}

pub(crate) async fn a_living_owner_is_left_alone(lab: &Lab) {
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    for who in ["m1", "m2"] {
        beat(&store, who, "Orders", LONG).await;
    }
    let claim = store.claim(&part, &member("m1")).await.unwrap().unwrap();
    assert_eq!(store.claim(&part, &member("m2")).await.unwrap(), None);
    let fleet = beat(&store, "m2", "Orders", LONG).await;
    assert_eq!(fleet.parts[0].epoch, claim.epoch);
    assert_eq!(fleet.parts[0].owner, Some(member("m1")));
}

pub(crate) async fn a_lapsed_owner_is_replaced(lab: &Lab) {
    const LEASE: Duration = Duration::from_millis(300);
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    let begun = beat(&store, "m2", "Orders", LONG).await.now;
    beat(&store, "m1", "Orders", LEASE).await;
    let first = store.claim(&part, &member("m1")).await.unwrap().unwrap();
    let second = loop {
        if let Some(claim) = store.claim(&part, &member("m2")).await.unwrap() {
            break claim;
        }
        let now = beat(&store, "m2", "Orders", LONG).await.now;
        assert!(now.since(begun) < Duration::from_secs(20), "it never ends");
    };
    let fleet = beat(&store, "m2", "Orders", LONG).await;
    assert!(fleet.now.since(begun) >= LEASE);
    assert!(second.epoch > first.epoch);
    assert_eq!(second.before, Some(member("m1")));
    // It is back, and too late.
    beat(&store, "m1", "Orders", LONG).await;
    assert_eq!(store.claim(&part, &member("m1")).await.unwrap(), None);
}

pub(crate) async fn a_repeated_claim_learns_the_same(lab: &Lab) {
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    let claim = |who: &str| {
        let (store, part, who) = (store.clone(), part.clone(), member(who));
        async move { store.claim(&part, &who).await.unwrap().unwrap() }
    };
    beat(&store, "m1", "Orders", LONG).await;
    assert_eq!(claim("m1").await.before, None);
    assert_eq!(claim("m1").await.before, None);
    store.leave(&member("m1")).await.unwrap();
    beat(&store, "m2", "Orders", LONG).await;
    let first = claim("m2").await;
    let again = claim("m2").await;
    assert!(again.epoch > first.epoch);
    assert_eq!(first.before, Some(member("m1")));
    assert_eq!(again.before, Some(member("m1")));
}

pub(crate) async fn a_released_partition_is_free(lab: &Lab) {
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    for who in ["m1", "m2"] {
        beat(&store, who, "Orders", LONG).await;
    }
    let first = store.claim(&part, &member("m1")).await.unwrap().unwrap();
    store.release(&part, first.epoch).await.unwrap();
    store.release(&part, first.epoch).await.unwrap();
    let fleet = beat(&store, "m1", "Orders", LONG).await;
    assert_eq!(fleet.parts[0].owner, None);
    let second = store.claim(&part, &member("m2")).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert_eq!(second.before, Some(member("m1")));
}

pub(crate) async fn a_release_of_an_old_epoch_changes_nothing(lab: &Lab) {
    let store = lab.handle().await;
    let part = first_part(&store, "Orders").await;
    for who in ["m1", "m2"] {
        beat(&store, who, "Orders", LONG).await;
    }
    let old = store.claim(&part, &member("m1")).await.unwrap().unwrap();
    store.claim(&part, &member("m1")).await.unwrap().unwrap();
    store.release(&part, old.epoch).await.unwrap();
    assert_eq!(store.claim(&part, &member("m2")).await.unwrap(), None);
}

pub(crate) async fn an_unknown_partition_cannot_be_claimed(lab: &Lab) {
    let store = lab.handle().await;
    let known = first_part(&store, "Orders").await;
    let unknown = [
        Part { number: 1, ..known },
        Part {
            workflow: name("Unknown"),
            number: 0,
        },
    ];
    for part in unknown {
        let answer = store.claim(&part, &member("m1")).await;
        assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
        store.release(&part, Epoch(1)).await.unwrap();
    }
}
