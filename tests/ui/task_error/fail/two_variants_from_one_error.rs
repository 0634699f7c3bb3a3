use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, TaskError)]
enum PaymentError {
    One(#[from] Failure),
    Two(#[from] Failure),
}

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for PaymentError {}

fn main() {}
