//! Partitions and members.

use std::time::Duration;

use infinitic_core::names::WorkflowName;
use infinitic_runtime::cluster::store::{Beat, Epoch, Fleet, MemberId, Owned};

use crate::lab::{LONG, Lab, beat, member, name};

fn ids(fleet: &Fleet) -> Vec<&MemberId> {
    fleet.members.iter().map(|member| &member.id).collect()
}

pub(crate) async fn partitions_are_made_once(lab: &Lab) {
    let (a, b) = (lab.handle().await, lab.handle().await);
    let orders = name("Orders");
    let (x, y) = tokio::join!(a.parts(&orders, 8), b.parts(&orders, 5));
    let (x, y) = (x.unwrap(), y.unwrap());
    assert!(x == y && (x == 8 || x == 5), "{x} and {y}");
    assert_eq!(a.parts(&orders, 32).await.unwrap(), x);
    assert_eq!(b.parts(&name("Other"), 0).await.unwrap(), 1);
    let fleet = beat(&b, "m1", "Orders", LONG).await;
    assert_eq!(fleet.parts.len(), usize::from(x) + 1);
}

pub(crate) async fn a_beat_tells_how_the_fleet_stands(lab: &Lab) {
    let store = lab.handle().await;
    for (workflow, parts) in [("B", 12), ("A", 2), ("C", 3)] {
        store.parts(&name(workflow), parts).await.unwrap();
    }
    beat(&store, "m2", "C", LONG).await;
    let hosts = vec![name("B"), name("A"), name("Not yet there")];
    let message = Beat {
        member: member("m1"),
        hosts: hosts.clone(),
        lease: LONG,
    };
    let before = store.beat(&message).await.unwrap();
    let owned = before.parts[3].part.clone();
    let claim = store.claim(&owned, &member("m1")).await.unwrap().unwrap();

    let fleet = store.beat(&message).await.unwrap();
    assert!(fleet.now >= before.now);
    assert_eq!(ids(&fleet), [&member("m1"), &member("m2")]);
    let mut told: Vec<WorkflowName> = fleet.members[0].hosts.clone();
    told.sort();
    let mut given = hosts;
    given.sort();
    assert_eq!(told, given);
    assert_eq!(fleet.members[1].hosts, [name("C")]);
    let parts: Vec<String> = fleet.parts.iter().map(|p| p.part.to_string()).collect();
    // Those of workflows that it does not host too: somebody must own them.
    let all = [("A", 2), ("B", 12), ("C", 3)];
    let all = all
        .iter()
        .flat_map(|(w, parts)| (0..*parts).map(move |n| format!("{w}/{n}")));
    assert_eq!(parts, all.collect::<Vec<_>>());
    for part in &fleet.parts {
        let expected = if part.part == owned {
            (claim.epoch, Some(member("m1")))
        } else {
            (Epoch(0), None)
        };
        assert_eq!((part.epoch, part.owner.clone()), expected, "{}", part.part);
    }
}

pub(crate) async fn a_lease_runs_out_by_the_clock_of_the_store(lab: &Lab) {
    const LEASE: Duration = Duration::from_millis(300);
    let store = lab.handle().await;
    let begun = beat(&store, "long", "A", LONG).await.now;
    beat(&store, "short", "A", LEASE).await;
    loop {
        let fleet = beat(&store, "long", "A", LONG).await;
        let is_there = ids(&fleet).contains(&&member("short"));
        if !is_there {
            assert!(fleet.now.since(begun) >= LEASE);
            break;
        }
        assert!(
            fleet.now.since(begun) < Duration::from_secs(20),
            "it never ends"
        );
    }
    let fleet = beat(&store, "short", "A", LONG).await;
    assert_eq!(ids(&fleet), [&member("long"), &member("short")]);
}

pub(crate) async fn who_leaves_is_gone_at_once(lab: &Lab) {
    let store = lab.handle().await;
    beat(&store, "m1", "A", LONG).await;
    store.leave(&member("m1")).await.unwrap();
    store.leave(&member("m1")).await.unwrap();
    store.leave(&member("never seen")).await.unwrap();
    let fleet = beat(&store, "m2", "A", LONG).await;
    assert_eq!(ids(&fleet), [&member("m2")]);
    let fleet = beat(&store, "m1", "A", LONG).await;
    assert_eq!(ids(&fleet), [&member("m1"), &member("m2")]);
}

pub(crate) async fn names_are_told_apart_byte_by_byte(lab: &Lab) {
    const NAMES: [&str; 7] = ["Straße", "strasse", "Strasse", "x", "x ", "é", "e\u{301}"];
    let store = lab.handle().await;
    for (workflow, parts) in NAMES.iter().zip(1..) {
        assert_eq!(store.parts(&name(workflow), parts).await.unwrap(), parts);
    }
    for (workflow, parts) in NAMES.iter().zip(1..) {
        assert_eq!(store.parts(&name(workflow), 9).await.unwrap(), parts);
        let fleet = beat(&store, workflow, workflow, LONG).await;
        let of_it = |owned: &&Owned| owned.part.workflow.as_str() == *workflow;
        let there = fleet.parts.iter().filter(of_it).count();
        assert_eq!(there, usize::from(parts), "{workflow}");
    }
    let fleet = beat(&store, "x", "x", LONG).await;
    assert_eq!(fleet.members.len(), NAMES.len());
}
