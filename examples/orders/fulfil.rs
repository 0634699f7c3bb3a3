//! The workflow: all that happens to one order, as one function that survives every crash.

use std::time::Duration;

use infinitic::prelude::*;

use crate::order::{Order, OrderError, Parcel};
use crate::services::{BankStub, ShippingStub, StockStub};

/// How long it takes to pick the goods: a durable timer, short so that the example is.
const PICKING: Duration = Duration::from_millis(200);

#[workflow]
pub async fn fulfil(order: Order) -> Result<Parcel, OrderError> {
    let stock = new_service::<StockStub>();
    let hold = stock
        .reserve(order.id.clone(), order.item, order.quantity)
        .await?;
    let charged = new_service::<BankStub>()
        .charge(order.id, order.card, order.cents)
        .await;
    if let Err(refusal) = charged {
        stock.release(hold).await?;
        return Err(refusal.into());
    }
    timer(PICKING).await;
    Ok(new_service::<ShippingStub>()
        .ship(hold, order.customer)
        .await?)
}
