use infinitic::prelude::*;

pub struct Receipt;

#[service]
trait Payments {
    async fn charge(&self, cents: u64) -> Result<Receipt, Error>;
}

fn main() {}
