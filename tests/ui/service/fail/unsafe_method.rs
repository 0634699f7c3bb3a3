use infinitic::prelude::*;

#[service]
trait Payments {
    async unsafe fn charge(&self, cents: u64);
}

fn main() {}
