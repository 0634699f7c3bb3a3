use infinitic::prelude::*;

#[service]
trait Payments {
    const CURRENCY: u32;
    async fn charge(&self, cents: u64);
}

fn main() {}
