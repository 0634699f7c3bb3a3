use infinitic::prelude::*;

#[workflow]
async fn hello() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

fn main() {}
