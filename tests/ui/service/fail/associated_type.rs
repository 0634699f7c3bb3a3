use infinitic::prelude::*;

#[service]
trait Payments {
    type Card;
    async fn charge(&self, cents: u64);
}

fn main() {}
