use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn start<T>(&self, order: T);
}

fn main() {}
