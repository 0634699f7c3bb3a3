use infinitic::prelude::*;

#[workflow]
async fn hello() {
    println!("started");
}

fn main() {}
