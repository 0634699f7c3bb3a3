use infinitic::prelude::*;

macro_rules! warn {
    ($($input:tt)*) => {
        drop(format!($($input)*))
    };
}

#[workflow]
async fn hello(name: String) {
    timer(std::time::Duration::from_secs(1)).await;
    warn!("{} is late", name);
}

fn main() {}
