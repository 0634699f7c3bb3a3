use infinitic::prelude::*;

#[derive(Debug, thiserror::Error, TaskError)]
enum PaymentError {
    #[error("busy")]
    Busy,
}

fn main() {}
