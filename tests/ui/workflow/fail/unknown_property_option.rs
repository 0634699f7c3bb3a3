use infinitic::prelude::*;

#[workflow]
struct Orders {
    #[property(rename = "state")]
    status: Property<u32>,
}

fn main() {}
