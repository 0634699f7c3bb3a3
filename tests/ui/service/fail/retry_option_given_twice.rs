use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(max_attempts = 3, max_attempts = 5)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
