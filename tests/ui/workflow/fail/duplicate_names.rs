use infinitic::prelude::*;

#[workflow]
trait Orders {
    #[name("begin")]
    async fn start(&self);
    async fn begin(&self);
}

fn main() {}
