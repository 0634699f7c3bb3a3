use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::time::SystemTime::now();
}

fn main() {}
