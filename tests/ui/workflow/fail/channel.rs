use infinitic::prelude::*;

#[workflow]
trait Orders {
    #[channel]
    fn deliveries(&self) -> u32;
}

fn main() {}
