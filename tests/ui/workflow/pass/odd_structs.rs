#![allow(dead_code)]

use infinitic::prelude::*;

#[workflow]
#[derive(Default)]
struct Unit;

#[workflow]
#[derive(Default)]
struct Tuple(u8, #[property(name = "status")] Property<u32>);

#[workflow(version = 7)]
struct Generic<F: Fn() -> u8 + Send + Sync + 'static> {
    factory: F,
    count: Property<u32>,
}

#[workflow]
#[derive(Default)]
struct Configured {
    #[cfg(any())]
    gone: Property<NoSuchType>,
    #[cfg(all())]
    here: Property<u32>,
}

fn main() {}
