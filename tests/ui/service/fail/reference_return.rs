use infinitic::prelude::*;

#[service]
trait Payments {
    async fn currency(&self) -> &'static str;
}

fn main() {}
