use infinitic::prelude::*;

#[service(version = 2)]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
