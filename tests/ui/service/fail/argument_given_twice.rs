use infinitic::prelude::*;

#[service(name = "a", name = "b")]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
