use infinitic::prelude::*;

#[service]
trait Payments<Card> {
    async fn charge(&self, cents: u64);
}

fn main() {}
