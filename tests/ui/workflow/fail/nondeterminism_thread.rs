use infinitic::prelude::*;

#[workflow]
async fn hello() {
    std::thread::sleep(std::time::Duration::from_secs(1));
}

fn main() {}
