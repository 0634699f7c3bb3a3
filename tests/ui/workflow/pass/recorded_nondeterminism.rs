#![allow(dead_code)]

use infinitic::prelude::*;

#[workflow]
async fn hello() -> String {
    let started = inline(|| format!("{:?}", std::time::SystemTime::now()));
    inline(|| println!("started {started}"));
    let read = step("read", || async { Ok::<_, Error>(std::fs::read_to_string("x")?) });
    drop(read);
    started
}

#[workflow]
#[allow_nondeterminism("the order of the table is never looked at")]
async fn counted() -> u64 {
    let seen: std::collections::HashSet<u8> = std::collections::HashSet::new();
    seen.len() as u64
}

fn main() {}
