use infinitic::prelude::*;

async fn wait() {
    select! { a = async { 1 } => a b = async { 2 } => b };
}

fn main() {}
