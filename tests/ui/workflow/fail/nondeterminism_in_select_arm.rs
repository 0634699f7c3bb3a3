use infinitic::prelude::*;

#[workflow]
async fn hello() {
    select! {
        _ = async { std::time::SystemTime::now() } => println!("one"),
        _ = async {} => {}
    }
}

fn main() {}
