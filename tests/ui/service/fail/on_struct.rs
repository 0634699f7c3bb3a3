use infinitic::prelude::*;

#[service]
struct Payments;

fn main() {}
