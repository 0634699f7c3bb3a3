use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(cents: u64);
}

fn main() {}
