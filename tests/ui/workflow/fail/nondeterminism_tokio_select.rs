use infinitic::prelude::*;

#[workflow]
async fn hello() {
    tokio::select! {
        _ = async {} => {}
    }
}

fn main() {}
