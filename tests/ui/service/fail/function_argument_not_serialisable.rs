use infinitic::prelude::*;

pub struct Card;

#[service]
async fn charge(_card: Card, _cents: u64) -> Option<Card> {
    None
}

fn main() {}
