use infinitic::prelude::*;

#[service]
trait Payments {
    #[name("charge\n")]
    async fn charge(&self, cents: u64);
}

fn main() {}
