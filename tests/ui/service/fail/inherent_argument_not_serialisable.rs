use infinitic::prelude::*;

pub struct Card;

pub struct Receipt;

struct Payments;

#[service]
impl Payments {
    async fn charge(&self, _card: Card, _cents: u64) -> Result<Receipt, Error> {
        Ok(Receipt)
    }
}

fn main() {}
