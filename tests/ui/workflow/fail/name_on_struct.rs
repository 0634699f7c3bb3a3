use infinitic::prelude::*;

#[workflow(name = "orders")]
struct Orders;

fn main() {}
