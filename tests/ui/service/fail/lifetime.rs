use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge<'a>(&self, card: std::borrow::Cow<'a, str>);
}

fn main() {}
