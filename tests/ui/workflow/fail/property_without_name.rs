use infinitic::prelude::*;

#[workflow]
struct Orders(Property<u32>);

fn main() {}
