#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
#[retry(max_attempts = 3)]
async fn charge(mut cents: u64, _why: String) -> std::result::Result<u64, std::num::ParseIntError> {
    cents += 1;
    Ok(cents)
}

async fn call() -> u64 {
    charge(1, String::new()).await.unwrap_or(0)
}

fn stub(stub: &charge) {
    drop(stub.charge(1, String::new()));
}

fn main() {}
