use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, _cents: u64) {}
}

fn main() {}
