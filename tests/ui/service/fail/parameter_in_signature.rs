use infinitic::prelude::*;

struct Payments<T>(T);

#[service]
impl<T: Send + Sync + 'static> Payments<T> {
    async fn charge(&self, _card: Vec<T>) {}
}

fn main() {}
