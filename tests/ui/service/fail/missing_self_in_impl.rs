use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cents: u64);
}

struct Stripe;

#[service]
impl Payments for Stripe {
    async fn charge(_cents: u64) {}
}

fn main() {}
