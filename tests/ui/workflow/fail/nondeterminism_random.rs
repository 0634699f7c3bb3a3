use infinitic::prelude::*;

mod rand {
    pub fn random() -> u8 {
        4
    }
}

#[workflow]
async fn hello() {
    let _: u8 = rand::random();
}

fn main() {}
