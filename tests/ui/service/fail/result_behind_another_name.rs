use infinitic::prelude::*;

type Outcome = std::result::Result<u64, String>;

#[service]
trait Payments {
    async fn charge(&self, cents: u64) -> Outcome;
}

fn main() {}
