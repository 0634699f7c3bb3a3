use infinitic::prelude::*;

struct Greeter;

#[workflow]
impl Greeter {
    async fn greet(&self) {
        self.wait();
    }

    fn wait(&self) {
        std::thread::yield_now();
    }
}

fn main() {}
