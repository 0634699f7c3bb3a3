use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cents: u64);
}

struct Stripe;

#[service]
impl Payments for Stripe {
    #[name("debit")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
