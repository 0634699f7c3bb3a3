#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
trait Überweisung {
    async fn größe(&self, stück: u32) -> u32;
}

fn call(stub: &ÜberweisungStub) {
    drop(stub.größe(1));
}

fn main() {}
