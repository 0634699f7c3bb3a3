use infinitic::prelude::*;

#[service(name = payments)]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
