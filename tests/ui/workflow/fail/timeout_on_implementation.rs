use infinitic::prelude::*;

#[workflow]
trait Orders {
    async fn start(&self);
}

#[workflow]
#[derive(Default)]
struct OrdersV1;

#[workflow]
impl Orders for OrdersV1 {
    #[timeout("2m")]
    async fn start(&self) {}
}

fn main() {}
