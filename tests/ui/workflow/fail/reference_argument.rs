use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn start(&self, card: &str);
}

fn main() {}
