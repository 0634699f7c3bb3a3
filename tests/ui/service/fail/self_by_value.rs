use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(self, cents: u64);
}

fn main() {}
