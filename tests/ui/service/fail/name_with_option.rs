use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[name(text = "charge")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
