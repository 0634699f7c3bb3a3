use infinitic::prelude::*;

#[service]
trait Payments {
    #[skip]
    async fn charge(&self, cents: u64);
}

fn main() {}
