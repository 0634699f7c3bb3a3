use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(none)]
    #[retry(max_attempts = 3)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
