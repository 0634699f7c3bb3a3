#![allow(dead_code)]

use infinitic::prelude::*;

trait Named {
    fn name(&self) -> String;
}

mod contracts {
    use infinitic::prelude::*;

    #[service(name = "payments")]
    pub(crate) trait Payments: super::Named + Send + Sync {
        #[name("take-money")]
        async fn charge(&self, cents: u64) -> u64;
    }
}

struct Stripe;

impl Named for Stripe {
    fn name(&self) -> String {
        "stripe".to_owned()
    }
}

#[service]
impl contracts::Payments for Stripe {
    async fn charge(&self, cents: u64) -> u64 {
        cents + self.name().len() as u64
    }
}

fn call(stub: &contracts::PaymentsStub) {
    drop(stub.charge(1));
}

fn main() {}
