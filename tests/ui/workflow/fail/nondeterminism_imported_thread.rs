use std::thread;

use infinitic::prelude::*;

#[workflow]
async fn hello() {
    std::hint::black_box(());
    thread::sleep(std::time::Duration::from_secs(1));
}

fn main() {}
