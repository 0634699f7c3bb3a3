use infinitic::prelude::*;

#[service(nmae = "payments")]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
