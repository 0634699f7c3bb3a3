use infinitic::prelude::*;

mod tracing {
    macro_rules! info {
        ($($input:tt)*) => {
            drop(format!($($input)*))
        };
    }
    pub(crate) use info;
}

#[workflow]
async fn hello(name: String) {
    tracing::info!("hello {}", name);
}

fn main() {}
