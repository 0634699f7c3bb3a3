/// Charges a card.
#[service]
#[timeout("30s")]
#[tracing::instrument]
pub async fn charge(mut card: Card, amount: Cents) -> Result<Receipt, PaymentError> {
    card.normalise();
    bank::charge(card, amount).await
}
