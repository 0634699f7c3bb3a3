use infinitic::prelude::*;

async fn wait() {
    select! { else => () }
}

fn main() {}
