use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(coefficient = 0.5)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
