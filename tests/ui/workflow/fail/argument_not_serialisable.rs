use infinitic::prelude::*;

pub struct Order;

#[workflow]
trait Orders {
    async fn start(&self, order: Order);
}

fn main() {}
