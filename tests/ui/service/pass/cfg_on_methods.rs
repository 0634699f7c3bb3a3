#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
trait Payments {
    #[cfg(all())]
    async fn charge(&self, cents: u64);
    #[cfg(any())]
    async fn charge(&self, cents: NoSuchType) -> NoSuchResult;
    #[cfg(any())]
    async fn gone(&self, cents: NoSuchType) -> Result<(), NoSuchError>;
}

struct Stripe;

#[service]
impl Payments for Stripe {
    #[cfg(all())]
    async fn charge(&self, _cents: u64) {}
    #[cfg(any())]
    async fn charge(&self, cents: NoSuchType) -> NoSuchResult {}
    #[cfg(any())]
    async fn gone(&self, cents: NoSuchType) -> Result<(), NoSuchError> {}
}

fn call(stub: &PaymentsStub) {
    drop(stub.charge(1));
}

fn main() {}
