use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, TaskError)]
enum PaymentError {
    Busy,
}

fn main() {}
