use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn cancel(&self);
}

fn main() {}
