use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cents: u64);
}

struct Stripe;

#[service(name = "stripe")]
impl Payments for Stripe {
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
