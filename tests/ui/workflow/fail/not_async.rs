use infinitic::prelude::*;

#[workflow]
trait Orders {
    fn status(&self) -> u32;
}

fn main() {}
