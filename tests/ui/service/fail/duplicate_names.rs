use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cents: u64);
    #[name("charge")]
    async fn charge_again(&self, cents: u64);
}

fn main() {}
