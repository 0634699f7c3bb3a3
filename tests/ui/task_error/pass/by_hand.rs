#![allow(dead_code)]

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, TaskError)]
enum OrderError {
    #[fatal]
    Declined(String),
    Stock {
        #[from]
        source: StockError,
    },
    #[cfg(all())]
    Call(#[from] Failure),
    #[cfg(any())]
    Gone(#[from] NoSuchType),
}

#[derive(Debug, Serialize, Deserialize, TaskError)]
#[fatal]
struct StockError;

#[derive(Debug, Serialize, Deserialize, TaskError)]
struct Wrapped(#[from] Failure);

#[derive(Debug, Serialize, Deserialize, TaskError)]
enum Nothing {}

macro_rules! errors {
    ($($name:ident)*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl std::error::Error for $name {}
    )*};
}

errors!(OrderError StockError Wrapped Nothing);

fn convert(failure: Failure<StockError>, erased: Failure) -> (OrderError, OrderError, Wrapped) {
    (failure.into(), StockError.into(), erased.into())
}

fn main() {}
