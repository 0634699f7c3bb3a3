#![allow(dead_code)]

use infinitic::prelude::*;

struct Payments<B>(B);

#[service]
impl<B: Clone + Send + Sync + 'static> Payments<B> {
    async fn charge(&self, cents: u64) -> u64 {
        drop(self.0.clone());
        cents
    }
}

fn call(stub: &PaymentsStub) {
    drop(stub.charge(1));
}

fn main() {}
