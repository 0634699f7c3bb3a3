use infinitic::prelude::*;

#[service(crate = "infinitic")]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
