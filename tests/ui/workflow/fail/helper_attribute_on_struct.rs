use infinitic::prelude::*;

#[workflow]
#[retry(none)]
struct Orders;

fn main() {}
