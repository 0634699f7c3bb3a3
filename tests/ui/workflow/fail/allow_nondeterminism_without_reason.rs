use infinitic::prelude::*;

#[workflow]
#[allow_nondeterminism]
async fn hello() {
    println!("started");
}

fn main() {}
