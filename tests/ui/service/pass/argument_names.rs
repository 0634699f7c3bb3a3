#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
async fn charge(charge: u64, encode: u64, stub: u64, root: u64) -> u64 {
    charge + encode + stub + root
}

#[workflow]
async fn order(order: u64, handle: u64, binder: u64) -> u64 {
    order + handle + binder
}

#[service]
trait Payments {
    async fn refund(&self, refund: u64, encode: u64, method: u64);
}

struct Stripe;

#[service]
impl Payments for Stripe {
    async fn refund(&self, _: u64, _encode: u64, mut method: u64) {
        method += 1;
        drop(method);
    }
}

fn main() {}
