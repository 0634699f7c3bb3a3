use infinitic::prelude::*;

struct Payments;

#[service]
#[name("payments")]
impl Payments {
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
