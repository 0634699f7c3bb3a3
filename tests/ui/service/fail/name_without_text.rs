use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[name]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
