use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    async fn charge(&self, (_cents, _currency): (u64, String)) {}
}

fn main() {}
