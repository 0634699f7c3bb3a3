use infinitic::prelude::*;

#[workflow]
async fn hello() {
    tokio::join!(async {});
}

fn main() {}
