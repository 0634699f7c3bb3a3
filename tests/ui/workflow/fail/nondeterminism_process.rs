use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::process::id();
}

fn main() {}
