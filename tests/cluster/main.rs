//! The orders of the example in a cluster of its own, while everything under it fails: workers are
//! killed and frozen, the broker and the database are killed, topics are moved, connections cut.
//! In the end nothing may be lost or doubled, and no message may have been set aside.
//!
//! Needs `INFINITIC_SERVERS`, the script that starts servers: those of this test are its own.
//! `INFINITIC_CHAOS_ORDERS` (600), `INFINITIC_CHAOS_SEED`, `INFINITIC_CHAOS_OUTAGE` (3, the seconds
//! for which servers are gone) and `INFINITIC_CHAOS_TROUBLES` (all twice; names with commas between
//! them, in order) make it another or a longer one. An outage of ten minutes of each server:
//!
//! ```text
//! INFINITIC_CHAOS_OUTAGE=600 INFINITIC_CHAOS_TROUBLES=KillBroker,KillDatabase
//! ```
#![allow(clippy::unwrap_used, unreachable_pub)]

mod chance;
mod processes;
mod servers;

use std::time::Duration;

use chance::Chance;
use processes::{Shop, pause};
use servers::Servers;

/// How long a hung worker hangs once: longer than the broker takes to give a connection up.
const LONG_FREEZE: Duration = Duration::from_secs(35);

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    KillWorker,
    StopWorker,
    Freeze,
    FreezeLong,
    KillClient,
    KillBroker,
    Unload,
    KillDatabase,
    CutConnections,
}

const ALL: [Trouble; 9] = [
    Trouble::KillWorker,
    Trouble::CutConnections,
    Trouble::Freeze,
    Trouble::KillBroker,
    Trouble::KillClient,
    Trouble::Unload,
    Trouble::KillDatabase,
    Trouble::StopWorker,
    Trouble::FreezeLong,
];
/// So often each of them comes.
const TIMES: usize = 2;
/// Most memory that a worker may ever have taken, built without optimisation. In an outage of any
/// length it takes what its limits say.
const WORKER_BYTES: u64 = 300 << 20;

#[test]
fn orders_survive_the_end_of_everything_under_them() {
    let Ok(script) = std::env::var("INFINITIC_SERVERS") else {
        eprintln!("LEFT OUT: orders in a cluster that fails; set INFINITIC_SERVERS");
        return;
    };
    let mut chance = Chance::from_environment();
    let count = number("INFINITIC_CHAOS_ORDERS", 600);
    let outage = Duration::from_secs(number("INFINITIC_CHAOS_OUTAGE", 3));
    eprintln!("{count} orders, outages of {outage:?}, {chance:?}");
    let servers = Servers::start(&script);
    let mut shop = Shop::open(&servers, 2);
    let troubles = troubles(&mut chance);
    let mut is_long_over = false;
    for (round, mut trouble) in troubles.iter().copied().enumerate() {
        if let Trouble::FreezeLong = trouble
            && std::mem::replace(&mut is_long_over, true)
        {
            trouble = Trouble::KillWorker;
        }
        let rounds = troubles.len() as u64;
        shop.order(count * (round as u64 + 1) / rounds);
        // Amid the work, at a moment that chance has chosen.
        shop.until_written(chance.below(count / rounds * 3));
        eprintln!("round {round}: {trouble:?}");
        strike(trouble, &servers, &mut shop, &mut chance, outage);
        shop.until_ended();
        for worker in &shop.workers {
            let bytes = worker.peak_memory();
            eprintln!("a worker took {} MB at most", bytes >> 20);
            assert!(bytes <= WORKER_BYTES);
        }
    }
    let audit = shop.audit();
    eprintln!("{audit}");
    assert!(audit.contains("clean: nothing is lost"), "{}", shop.log());
    let ended = format!("{count} orders in the input, {count} ended");
    assert!(audit.contains(&ended), "{}", shop.log());
    shop.close();
}

fn strike(
    trouble: Trouble,
    servers: &Servers,
    shop: &mut Shop,
    chance: &mut Chance,
    outage: Duration,
) {
    let worker = usize::from(chance.below(2) == 1);
    match trouble {
        Trouble::KillWorker => {
            shop.workers[worker].kill();
            pause(Duration::from_millis(chance.below(3_000)));
            shop.workers[worker].start();
        }
        Trouble::StopWorker => {
            shop.workers[worker].terminate();
            shop.workers[worker].start();
        }
        Trouble::Freeze => {
            // Shorter and longer than the lease.
            let time = Duration::from_millis(1_000 + chance.below(9_000));
            shop.workers[worker].freeze(time);
        }
        Trouble::FreezeLong => shop.workers[worker].freeze(LONG_FREEZE),
        Trouble::KillClient => {
            shop.client.kill();
            shop.client.start();
        }
        Trouble::KillBroker => {
            servers.kill("pulsar");
            pause(outage);
            servers.start_again("pulsar");
        }
        Trouble::Unload => servers.unload(),
        Trouble::KillDatabase => {
            servers.kill("postgres");
            pause(outage);
            servers.start_again("postgres");
        }
        Trouble::CutConnections => servers.cut_connections(),
    }
}

/// What is to go wrong, in order.
fn troubles(chance: &mut Chance) -> Vec<Trouble> {
    let Ok(names) = std::env::var("INFINITIC_CHAOS_TROUBLES") else {
        let mut troubles: Vec<Trouble> = (0..TIMES).flat_map(|_| ALL).collect();
        chance.shuffle(&mut troubles);
        return troubles;
    };
    let find = |name: &str| {
        let found = ALL.into_iter().find(|it| format!("{it:?}") == name);
        found.unwrap_or_else(|| panic!("no trouble is called `{name}`: there are {ALL:?}"))
    };
    names.split(',').map(find).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok().filter(|text| !text.is_empty());
    value.map_or(default, |text| text.parse().unwrap())
}
