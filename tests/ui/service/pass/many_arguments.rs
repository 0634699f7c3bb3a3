#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
trait Payments {
    async fn charge(
        &self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8,
    );
    async fn nothing(&self);
}

fn call(stub: &PaymentsStub) {
    drop(stub.charge(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    drop(stub.nothing());
}

fn main() {}
