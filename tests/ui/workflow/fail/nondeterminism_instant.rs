use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::time::Instant::now();
}

fn main() {}
