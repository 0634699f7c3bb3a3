use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = dbg!(1);
}

fn main() {}
