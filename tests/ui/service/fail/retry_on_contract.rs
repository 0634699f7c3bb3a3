use infinitic::prelude::*;

#[service]
trait Payments {
    #[retry(max_attempts = 5)]
    async fn charge(&self, cents: u64);
}

fn main() {}
