#![allow(dead_code)]

use infinitic::prelude::*;

trait Bank: Send + Sync + 'static {}

struct Stripe<B, const N: usize>(B);

#[service]
trait Payments {
    async fn charge(&self, cents: u64) -> u64;
}

#[service]
impl<B, const N: usize> Payments for Stripe<B, N>
where
    B: Bank,
{
    async fn charge(&self, cents: u64) -> u64 {
        cents + N as u64
    }
}

fn main() {}
