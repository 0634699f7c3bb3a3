use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = tokio::spawn(async {});
}

fn main() {}
