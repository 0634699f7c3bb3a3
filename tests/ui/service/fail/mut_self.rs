use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&mut self, cents: u64);
}

fn main() {}
