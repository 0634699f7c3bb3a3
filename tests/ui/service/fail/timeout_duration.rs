use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[timeout("30m1h")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
