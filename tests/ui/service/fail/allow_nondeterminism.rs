use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[allow_nondeterminism("why not")]
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
