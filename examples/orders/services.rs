//! The three services that an order needs, as contracts and as what stands for them here.
//!
//! They behave as real ones do: they take time, the bank is often busy, and what they did cannot be
//! undone by a crash. Each effect is a line in the ledger, written as the last thing of an attempt.

use std::time::Duration;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ledger::{Did, Ledger, LedgerError, Step};
use crate::order::{OrderId, Parcel, hash};

/// More than this is never in stock.
pub const QUANTITY_MAX: u32 = 100;
/// The bank declines cards that end like this.
pub const DECLINED_CARDS: &str = "0002";
/// One in so many charges meets a busy bank.
const BUSY_ONE_IN: u64 = 4;
/// How long a call of the outside world takes: long enough to be cut by a kill.
const LATENCY: Duration = Duration::from_millis(5);

/// Goods that are set aside for an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    pub order: OrderId,
    pub item: String,
    pub quantity: u32,
}

/// Proof of a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    pub number: String,
}

/// Why goods cannot be set aside.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
pub enum StockError {
    #[error("{quantity} × {item} are not in stock")]
    #[fatal]
    Missing { item: String, quantity: u32 },
    #[error(transparent)]
    Ledger(LedgerError),
}

/// Why a card cannot be charged.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
pub enum BankError {
    #[error("the card ending in {last_digits} was declined")]
    #[fatal]
    Declined { last_digits: String },
    #[error("the bank is busy")]
    Busy,
    #[error(transparent)]
    Ledger(LedgerError),
}

/// Keeps goods.
#[service]
pub trait Stock {
    /// Sets goods aside.
    async fn reserve(
        &self,
        order: OrderId,
        item: String,
        quantity: u32,
    ) -> Result<Hold, StockError>;
    /// Puts goods back that were set aside.
    async fn release(&self, hold: Hold) -> Result<(), StockError>;
}

/// Takes money.
#[service]
pub trait Bank {
    /// Charges a card.
    async fn charge(&self, order: OrderId, card: String, cents: u64) -> Result<Receipt, BankError>;
}

/// Sends goods.
#[service]
pub trait Shipping {
    /// Hands goods over to the carrier.
    async fn ship(&self, hold: Hold, customer: String) -> Result<Parcel, StockError>;
}

/// The stock of this shop.
pub struct Warehouse(pub Ledger);

#[service]
#[retry(max_attempts = 12, initial = "50ms", max = "5s")]
impl Stock for Warehouse {
    async fn reserve(
        &self,
        order: OrderId,
        item: String,
        quantity: u32,
    ) -> Result<Hold, StockError> {
        tokio::time::sleep(LATENCY).await;
        if quantity > QUANTITY_MAX {
            self.0.append(&order, Step::Reserve, Did::Missing)?;
            return Err(StockError::Missing { item, quantity });
        }
        self.0.append(&order, Step::Reserve, Did::Done)?;
        Ok(Hold {
            order,
            item,
            quantity,
        })
    }

    async fn release(&self, hold: Hold) -> Result<(), StockError> {
        tokio::time::sleep(LATENCY).await;
        self.0.append(&hold.order, Step::Release, Did::Done)?;
        Ok(())
    }
}

/// A bank that is often busy. Whether it is depends on the attempt: trying again helps.
pub struct FlakyBank(pub Ledger);

#[service]
impl Bank for FlakyBank {
    #[retry(max_attempts = 20, initial = "50ms", max = "200ms")]
    #[timeout("10s", grace = "1s")]
    async fn charge(&self, order: OrderId, card: String, cents: u64) -> Result<Receipt, BankError> {
        tokio::time::sleep(LATENCY).await;
        // The task's id is the same on each attempt: a real bank would take it as idempotency key.
        let key = task::id();
        let draw = hash(format!("{key} {} {cents}", task::attempt()).as_bytes());
        if draw.is_multiple_of(BUSY_ONE_IN) {
            self.0.append(&order, Step::Charge, Did::Busy)?;
            return Err(BankError::Busy);
        }
        if card.ends_with(DECLINED_CARDS) {
            self.0.append(&order, Step::Charge, Did::Declined)?;
            return Err(BankError::Declined {
                last_digits: DECLINED_CARDS.to_owned(),
            });
        }
        self.0.append(&order, Step::Charge, Did::Done)?;
        Ok(Receipt {
            number: key.to_string(),
        })
    }
}

/// Who brings parcels.
pub struct Carrier(pub Ledger);

#[service]
#[retry(max_attempts = 12, initial = "50ms", max = "5s")]
impl Shipping for Carrier {
    async fn ship(&self, hold: Hold, customer: String) -> Result<Parcel, StockError> {
        tokio::time::sleep(LATENCY).await;
        self.0.append(&hold.order, Step::Ship, Did::Done)?;
        let number = hash(format!("{} {customer}", hold.order).as_bytes());
        Ok(Parcel {
            tracking: format!("P{number:016X}"),
        })
    }
}

impl From<LedgerError> for StockError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<LedgerError> for BankError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
