use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
#[task_error = "infinitic"]
enum PaymentError {
    #[error("busy")]
    Busy,
}

fn main() {}
