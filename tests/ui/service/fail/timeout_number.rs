use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[timeout(30)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
