use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn start(&mut self, cents: u64);
}

fn main() {}
