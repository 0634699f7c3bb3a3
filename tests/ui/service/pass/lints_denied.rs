#![deny(missing_docs, unused, unreachable_pub, unused_qualifications, elided_lifetimes_in_paths)]
#![deny(clippy::all, deprecated, private_interfaces, non_camel_case_types)]
//! Everything that is generated is clean.

use infinitic::prelude::*;

mod inner {
    use infinitic::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    struct Secret;

    struct Keeper;

    #[service]
    impl Keeper {
        async fn keep(&self, _secret: Secret) {}
    }

    #[service]
    async fn whisper(_secret: Secret) -> u32 {
        1
    }

    pub(super) fn use_all() {
        let _ = (Keeper, whisper(Secret), |stub: &KeeperStub, other: &whisper| {
            drop(stub.keep(Secret));
            drop(other.whisper(Secret));
        });
    }
}

/// Moves money.
#[service]
pub trait Payments {
    /// Takes money.
    async fn charge(&self, cents: u64) -> u64;
    /// Old.
    #[deprecated = "use `charge`"]
    async fn debit(&self, cents: u64) -> u64;
}

/// A bank.
#[derive(Debug)]
pub struct Stripe;

#[service]
impl Payments for Stripe {
    async fn charge(&self, cents: u64) -> u64 {
        cents
    }
    async fn debit(&self, cents: u64) -> u64 {
        cents
    }
}

fn main() {
    inner::use_all();
}
