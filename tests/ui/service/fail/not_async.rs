use infinitic::prelude::*;

#[service]
trait Payments {
    fn charge(&self, cents: u64) -> Result<(), Error>;
}

fn main() {}
