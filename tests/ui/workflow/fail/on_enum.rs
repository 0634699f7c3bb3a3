use infinitic::prelude::*;

#[workflow]
enum Orders {
    Open,
}

fn main() {}
