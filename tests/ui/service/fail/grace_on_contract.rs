use infinitic::prelude::*;

#[service]
trait Payments {
    #[timeout("2m", grace = "5s")]
    async fn charge(&self, cents: u64);
}

fn main() {}
