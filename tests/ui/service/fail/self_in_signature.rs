use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self, other: Box<Self>);
}

fn main() {}
