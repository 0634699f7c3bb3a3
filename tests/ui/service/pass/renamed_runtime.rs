#![allow(dead_code)]

mod reexport {
    pub use infinitic as engine;
}

use reexport::engine::prelude::*;

#[service(crate = crate::reexport::engine)]
trait Payments {
    async fn charge(&self, cents: u64) -> u64;
}

#[workflow(crate = crate::reexport::engine)]
async fn order(cents: u64) -> u64 {
    cents
}

fn main() {}
