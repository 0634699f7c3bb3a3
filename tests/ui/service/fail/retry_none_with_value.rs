use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(none = true)]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
