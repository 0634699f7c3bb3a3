#![allow(dead_code)]

use infinitic::prelude::*;

type IoResult<T> = std::io::Result<T>;

mod other {
    pub type Result<T> = std::result::Result<T, std::num::ParseIntError>;
}

#[service]
trait Payments {
    async fn one(&self) -> Result<u32>;
    async fn two(&self) -> other::Result<u32>;
    async fn three(&self) -> std::result::Result<u32, std::fmt::Error>;
    async fn four(&self) -> std::io::Result<()>;
}

fn call(_: fn() -> IoResult<u8>) {}

fn main() {}
