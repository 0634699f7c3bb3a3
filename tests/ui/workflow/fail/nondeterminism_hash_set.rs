use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::collections::HashSet::<u8>::default();
}

fn main() {}
