use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(&self) -> impl Sized;
}

fn main() {}
