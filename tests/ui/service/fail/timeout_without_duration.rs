use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[timeout(grace = "5s")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
