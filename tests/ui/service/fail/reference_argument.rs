use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, card: &str);
}

fn main() {}
