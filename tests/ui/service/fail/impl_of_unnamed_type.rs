use infinitic::prelude::*;

trait Bank {}

#[service]
impl dyn Bank {
    async fn charge(&self) {}
}

fn main() {}
