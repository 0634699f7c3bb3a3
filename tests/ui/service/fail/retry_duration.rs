use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(initial = "5 parsecs")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
