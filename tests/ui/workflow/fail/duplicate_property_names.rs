use infinitic::prelude::*;

#[workflow]
struct Orders {
    status: Property<u32>,
    #[property(name = "status")]
    state: Property<u32>,
}

fn main() {}
