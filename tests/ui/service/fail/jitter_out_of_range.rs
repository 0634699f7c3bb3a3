use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(jitter = 1.5)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
