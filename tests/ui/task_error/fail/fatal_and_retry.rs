use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum PaymentError {
    #[error("busy")]
    #[fatal]
    #[retry(after = "1s")]
    Busy,
}

fn main() {}
