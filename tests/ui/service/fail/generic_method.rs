use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge<T>(&self, card: T);
}

fn main() {}
