use infinitic::prelude::*;

#[service]
trait Payments {
    async fn with_tag(&self, tag: String);
}

fn main() {}
