use infinitic::prelude::*;

#[service]
async fn charge(_a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _g: u8, _h: u8, _i: u8) {}

fn main() {}
