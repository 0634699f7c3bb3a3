#![allow(dead_code, non_camel_case_types)]

use ::infinitic::prelude::{service as infinitic_service, workflow as infinitic_workflow};

mod shadows {
    pub struct Vec;
    pub struct Box;
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct String;
    pub trait Clone {}
    pub trait Debug {}
    pub trait Send {}
    pub trait Future {}
    pub mod core {}
    pub mod std {}
    pub mod infinitic {}
    pub type u64 = u8;
}

#[allow(unused_imports)]
use shadows::*;

#[infinitic_service]
trait Payments {
    async fn charge(&self, cents: u32) -> u32;
}

struct Stripe;

#[infinitic_service]
impl Payments for Stripe {
    #[retry(max_attempts = 3, max = "1m")]
    #[timeout("3s")]
    async fn charge(&self, cents: u32) -> u32 {
        cents
    }
}

#[infinitic_service]
async fn refund(cents: u32) -> u32 {
    cents
}

#[infinitic_workflow(version = 1)]
async fn order(cents: u32) -> u32 {
    cents
}

fn main() {}
