use infinitic::prelude::*;

async fn wait() {
    join!();
}

fn main() {}
