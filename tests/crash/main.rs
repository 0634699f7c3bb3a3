//! Real crashes: the orders example as a process, killed again and again under load.
//!
//! The audit of the example is the judge; it has unit tests of its own, and is shown here to find
//! what is wrong. `CRASH_SEED` repeats a run's moments, `CRASH_KILLS` makes more of them.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod deadly;
mod orders;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use orders::{Shop, assert_clean, program};

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is `{text}`; write a number"))
    })
}

/// Chance that can be repeated. The mixing function is the finalizer of SplitMix64.
struct Chance(u64);

impl Chance {
    /// From the seed of the environment, or from the clock; printed, to be repeated.
    fn new() -> Self {
        let seed = variable("CRASH_SEED").unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos())
        });
        eprintln!("CRASH_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Each order and step has one task, and each shipped order was shipped: asked without the audit.
fn assert_one_task_a_step(shop: &Shop) {
    let mut tasks: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for line in shop.ledger() {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        let key = (text("order"), text("step"));
        tasks.entry(key).or_default().insert(text("task"));
    }
    let several: Vec<_> = tasks.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(several.is_empty(), "{several:?}");
}

#[test]
fn sigkill_under_load_loses_and_doubles_nothing() {
    const ORDERS: usize = 4000;
    let kills_wanted = variable("CRASH_KILLS").unwrap_or(20);
    let mut chance = Chance::new();
    let shop = Shop::with_orders(ORDERS);
    let (mut kills, mut early) = (0, 0);
    while kills < kills_wanted {
        let before = shop.ledger_len();
        let mut running = shop.start();
        // Most die at work; some on their way to it, while they open and recover the store.
        let alive = if chance.below(6) == 0 {
            running.for_a_moment(Duration::from_millis(chance.below(300)))
        } else {
            let growth = 20 + chance.below(40_000);
            running.until(|| shop.ledger_len() > before + growth)
                && running.for_a_moment(Duration::from_millis(chance.below(20)))
        };
        assert!(
            alive,
            "all orders ended after {kills} kills: more are needed"
        );
        running.kill();
        // The line of the session itself is no work.
        if shop.ledger_len() > before + 20 {
            kills += 1;
        } else {
            early += 1;
        }
        if shop.data().join("notebook.jsonl").exists() {
            assert_clean(&shop.audit_copy(), &shop);
        }
    }
    shop.finish();
    let report = assert_clean(&shop.audit(), &shop);
    eprintln!("{kills} kills under load, {early} before\n{report}");
    assert!(report.contains(&format!("{ORDERS} orders in the input, {ORDERS} ended")));
    assert_one_task_a_step(&shop);
}

#[test]
fn sigterm_loses_no_time_to_redelivery() {
    const ORDERS: usize = 2000;
    let mut chance = Chance::new();
    let shop = Shop::with_orders(ORDERS);
    for _ in 0..4 {
        let before = shop.ledger_len();
        let growth = 1000 + chance.below(40_000);
        let mut running = shop.start();
        assert!(running.until(|| shop.ledger_len() > before + growth));
        running.terminate();
        let asked = Instant::now();
        let status = running.wait();
        assert_eq!(status.code(), Some(3), "{}", shop.log());
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "attempts take milliseconds, and stopping took {:?}",
            asked.elapsed()
        );
    }
    shop.finish();
    let report = assert_clean(&shop.audit(), &shop);
    assert!(report.contains(&format!("{ORDERS} ended")), "{report}");
    assert!(report.contains("5 sessions, of which 0 killed"), "{report}");
    assert!(report.contains("0 attempts repeated"), "{report}");
    assert_one_task_a_step(&shop);
}

/// Runs an audit after something was done to the data, and gives its exit code and words.
fn audit_after(shop: &Shop, change: impl Fn()) -> (Option<i32>, String) {
    change();
    let output = shop.audit();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn the_audit_finds_what_is_lost_or_doubled() {
    let shop = Shop::with_orders(60);
    shop.finish();
    assert_clean(&shop.audit(), &shop);
    let path = shop.data().join("ledger.jsonl");
    let ledger = fs::read_to_string(&path).unwrap();
    let shipped = ledger.lines().find(|line| line.contains("ship")).unwrap();

    let without = ledger.replace(&format!("{shipped}\n"), "");
    let (code, text) = audit_after(&shop, || fs::write(&path, &without).unwrap());
    assert_eq!((code, text.matches("LOST").count()), (Some(1), 1), "{text}");

    let twice = ledger.replace(shipped, &format!("{shipped}\n{shipped}"));
    let (code, text) = audit_after(&shop, || fs::write(&path, &twice).unwrap());
    assert_eq!(
        (code, text.matches("DOUBLED").count()),
        (Some(1), 1),
        "{text}"
    );

    let (code, text) = audit_after(&shop, || {
        fs::write(&path, &ledger).unwrap();
        fs::remove_dir_all(shop.data().join("store")).unwrap();
    });
    assert_eq!(
        (code, text.matches("LOST").count()),
        (Some(1), 60),
        "{text}"
    );
    // Nor does the job itself start again what it was told is started.
    let output = shop.command_on(&shop.data()).output().unwrap();
    assert!(output.status.success(), "all had ended before");
}

#[test]
fn faulty_lines_are_named_and_skipped_or_refused() {
    let shop = Shop::with_orders(3);
    let mut input = fs::read_to_string(shop.input()).unwrap();
    input.push_str("not an order\n{\"id\":\"B\"}\n");
    fs::write(shop.input(), input).unwrap();

    let strict = shop.command_on(&shop.data()).arg("--strict").output();
    let strict = strict.unwrap();
    let said = String::from_utf8(strict.stderr).unwrap();
    assert_eq!(strict.status.code(), Some(2), "{said}");
    assert!(said.contains("line 4: not valid JSON"), "{said}");
    assert!(said.contains("line 5: missing field `customer`"), "{said}");
    assert!(!shop.data().exists(), "nothing is started");

    let skipping = shop.command_on(&shop.data()).output().unwrap();
    let said = String::from_utf8(skipping.stdout).unwrap();
    assert!(skipping.status.success());
    assert!(said.contains("3 of 3 orders ended"), "{said}");
    assert_clean(&shop.audit(), &shop);
}

#[test]
fn what_cannot_be_done_is_explained() {
    let shop = Shop::with_orders(500);
    let mut running = shop.start();
    assert!(running.until(|| shop.ledger_len() > 1000));
    let second = shop.command_on(&shop.data()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by process"), "{said}");
    assert!(running.wait().success());

    let nowhere = shop.dir.path().join("nowhere");
    let nothing = shop.audit_of(&nowhere);
    let said = String::from_utf8(nothing.stderr).unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(said.contains("nothing was started in"), "{said}");
    assert!(!nowhere.exists());

    let changed = fs::read_to_string(shop.input())
        .unwrap()
        .replace("rug", "bed");
    fs::write(shop.input(), changed).unwrap();
    let output = shop.command_on(&shop.data()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("with other contents"), "{said}");
}

#[test]
fn orders_come_from_the_standard_input_too() {
    let shop = Shop::with_orders(5);
    let output = Command::new(program())
        .args(["--input", "-", "--data"])
        .arg(shop.data())
        .stdin(fs::File::open(shop.input()).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("5 of 5 orders ended"), "{said}");
}
