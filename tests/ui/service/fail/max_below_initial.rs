use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(initial = "1m", max = "1s")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
