use infinitic::prelude::*;

#[workflow]
fn hello() {
    println!("hello");
}

fn main() {}
