use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[batch(max_messages = 50)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
