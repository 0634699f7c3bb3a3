use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, card: impl Into<String>);
}

fn main() {}
