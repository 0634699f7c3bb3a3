use infinitic::prelude::*;

#[workflow]
async fn hello(name: &str) -> String {
    name.to_owned()
}

fn main() {}
