use infinitic::prelude::*;

#[service]
const PAYMENTS: u32 = 1;

fn main() {}
