use infinitic::prelude::*;

async fn wait() {
    let _: u8 = select! { Some(x) = async { Some(1) } => x };
}

fn main() {}
