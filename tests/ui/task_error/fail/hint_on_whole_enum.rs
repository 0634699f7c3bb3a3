use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
#[fatal]
enum PaymentError {
    #[error("busy")]
    Busy,
}

fn main() {}
