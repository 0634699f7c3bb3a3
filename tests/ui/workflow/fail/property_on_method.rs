use infinitic::prelude::*;

#[workflow]
trait Orders {
    #[property(name = "x")]
    async fn start(&self);
}

fn main() {}
