use infinitic::prelude::*;

pub struct Declined;

#[service]
trait Payments {
    async fn charge(&self, cents: u64) -> Result<(), Declined>;
}

fn main() {}
