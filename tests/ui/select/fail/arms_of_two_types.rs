use infinitic::prelude::*;

async fn wait() {
    let _ = select! {
        x = async { 1u8 } => x,
        _ = async {} => "two",
    };
}

fn main() {}
