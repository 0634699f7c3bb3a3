use infinitic::prelude::*;

async fn wait() {
    select! {}
}

fn main() {}
