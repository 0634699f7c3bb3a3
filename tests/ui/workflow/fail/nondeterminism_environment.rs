use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::env::var("HOME");
}

fn main() {}
