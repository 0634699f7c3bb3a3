use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum PaymentError {
    #[error("busy")]
    #[fatal(true)]
    Busy,
}

fn main() {}
