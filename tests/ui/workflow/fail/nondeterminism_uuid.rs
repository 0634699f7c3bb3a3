use infinitic::prelude::*;

struct Uuid;

impl Uuid {
    fn new_v4() -> Self {
        Self
    }
}

#[workflow]
async fn hello() {
    let _ = Uuid::new_v4();
}

fn main() {}
