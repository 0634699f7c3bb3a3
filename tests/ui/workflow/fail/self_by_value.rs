use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn start(self, cents: u64);
}

fn main() {}
