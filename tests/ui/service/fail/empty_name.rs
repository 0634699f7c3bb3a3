use infinitic::prelude::*;

#[service(name = "")]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
