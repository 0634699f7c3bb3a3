use infinitic::prelude::*;

#[workflow(version = "2")]
struct Orders;

fn main() {}
