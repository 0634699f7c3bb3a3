use infinitic::prelude::*;

async fn wait() {
    select! { x => () }
}

fn main() {}
