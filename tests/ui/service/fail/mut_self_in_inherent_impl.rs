use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    async fn charge(&mut self, _cents: u64) {}
}

fn main() {}
