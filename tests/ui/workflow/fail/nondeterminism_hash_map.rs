use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _: std::collections::HashMap<u8, u8> = Default::default();
}

fn main() {}
