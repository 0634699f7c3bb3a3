use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cents: u64)
    where
        Self: Sized;
}

fn main() {}
