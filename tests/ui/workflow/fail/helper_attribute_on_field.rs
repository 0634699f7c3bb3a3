use infinitic::prelude::*;

#[workflow]
struct Orders {
    #[name("state")]
    status: Property<u32>,
}

fn main() {}
