use infinitic::prelude::*;

pub struct Card;

#[service]
trait Payments {
    async fn charge(&self, card: Card, cents: u64);
}

fn main() {}
