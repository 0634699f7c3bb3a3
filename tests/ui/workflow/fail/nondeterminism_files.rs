use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::fs::read("order.json");
}

fn main() {}
