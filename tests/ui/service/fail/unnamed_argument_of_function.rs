use infinitic::prelude::*;

#[service]
async fn charge(_: u64) {}

fn main() {}
