use infinitic::prelude::*;

async fn wait() {
    select! { x = async { 1 } }
}

fn main() {}
