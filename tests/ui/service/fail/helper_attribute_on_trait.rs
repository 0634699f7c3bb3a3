use infinitic::prelude::*;

#[service]
#[timeout("2m")]
trait Payments {
    async fn charge(&self, cents: u64);
}

fn main() {}
