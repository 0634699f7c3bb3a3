use infinitic::prelude::*;

async fn wait() {
    select! { x = 3u8 => drop(x) }
}

fn main() {}
