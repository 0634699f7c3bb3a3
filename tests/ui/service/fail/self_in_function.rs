use infinitic::prelude::*;

#[service]
async fn charge(&self, cents: u64) {}

fn main() {}
