use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[delegated]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
