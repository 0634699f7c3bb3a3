use infinitic::prelude::*;

#[workflow]
async fn hello(name: String) -> String {
    name
}

struct Greeter;

#[workflow]
impl Greeter {
    #[retry(max_attempts = 3)]
    async fn greet(&self) {}
}

fn main() {}
