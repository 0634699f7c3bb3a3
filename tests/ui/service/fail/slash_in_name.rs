use infinitic::prelude::*;

#[service]
trait Payments {
    #[name("cards/charge")]
    async fn charge(&self, cents: u64);
}

fn main() {}
