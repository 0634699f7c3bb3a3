use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, cards: Option<Vec<&str>>);
}

fn main() {}
