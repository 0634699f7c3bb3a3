use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(jitter = "half")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
