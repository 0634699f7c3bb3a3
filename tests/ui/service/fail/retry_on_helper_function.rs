use infinitic::prelude::*;

struct Payments;

#[service]
impl Payments {
    #[retry(max_attempts = 5)]
    fn fee(&self, cents: u64) -> u64 {
        cents / 100
    }
}

fn main() {}
