use infinitic::prelude::*;

async fn wait() {
    select! { else => (), _ = async {} => () }
}

fn main() {}
