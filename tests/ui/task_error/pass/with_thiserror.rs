#![allow(dead_code)]

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum StockError {
    #[error("none left")]
    #[fatal]
    Empty,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum OrderError {
    #[error("declined: {0}")]
    #[fatal]
    Declined(String),
    #[error("busy")]
    #[retry(after = "10s")]
    Busy { since: u64 },
    #[error("stock")]
    Stock(#[from] StockError),
    #[error(transparent)]
    Call(#[from] Failure),
}

fn both(failure: Failure<StockError>, erased: Failure) -> [OrderError; 3] {
    [failure.into(), erased.into(), StockError::Empty.into()]
}

fn question_mark(failure: Failure<StockError>) -> Result<(), OrderError> {
    Err(failure)?;
    Ok(())
}

fn own(failure: Failure<OrderError>, never: Failure<Never>) -> [OrderError; 2] {
    [failure.into(), never.into()]
}

fn main() {}
