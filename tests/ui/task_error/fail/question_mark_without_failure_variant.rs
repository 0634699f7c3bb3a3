use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum PaymentError {
    #[error("declined")]
    Declined,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, TaskError)]
enum OrderError {
    #[error("payment")]
    Payment(#[from] PaymentError),
}

#[service]
trait Payments {
    async fn charge(&self, cents: u64) -> Result<(), PaymentError>;
}

#[workflow]
async fn order() -> Result<(), OrderError> {
    let payments = new_service::<PaymentsStub>();
    payments.charge(3).await?;
    Ok(())
}

fn main() {}
