use infinitic::prelude::*;

#[service]
enum Payments {
    Card,
}

fn main() {}
