//! What is ordered, and how an order ends: the words that the other files share.

use std::fmt;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::services::{BankError, StockError};

/// The number that the shop gave to an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub String);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    pub customer: String,
    pub item: String,
    pub quantity: u32,
    pub cents: u64,
    pub card: String,
}

impl Order {
    /// A number that changes with each field: an order may not change once it was started.
    pub fn digest(&self) -> u64 {
        let json = serde_json::to_vec(self).expect("an order is strings and numbers");
        hash(&json)
    }

    /// How the order must end: what the services do depends on the order alone.
    pub fn expected(&self) -> Outcome {
        if self.quantity > crate::services::QUANTITY_MAX {
            Outcome::OutOfStock
        } else if self.card.ends_with(crate::services::DECLINED_CARDS) {
            Outcome::Declined
        } else {
            Outcome::Shipped
        }
    }
}

/// FNV-1a with a final mix: the same in each process and version, unlike the hasher of `std`.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    pub tracking: String,
}

/// Why an order was not fulfilled.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
pub enum OrderError {
    #[error(transparent)]
    Stock(#[from] StockError),
    #[error(transparent)]
    Bank(#[from] BankError),
    #[error(transparent)]
    Call(#[from] Failure),
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Shipped,
    Declined,
    OutOfStock,
    /// Something that nobody foresaw, in words.
    Failed(String),
}

impl Outcome {
    /// The outcome that a result of the workflow stands for.
    pub fn of(result: Result<Parcel, Failure<OrderError>>) -> Self {
        let Err(failure) = result else {
            return Self::Shipped;
        };
        match failure.error() {
            Some(OrderError::Stock(StockError::Missing { .. })) => Self::OutOfStock,
            Some(OrderError::Bank(BankError::Declined { .. })) => Self::Declined,
            _ => Self::Failed(failure.to_string()),
        }
    }

    /// A word for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Declined => "declined",
            Self::OutOfStock => "out of stock",
            Self::Failed(_) => "failed",
        }
    }
}
