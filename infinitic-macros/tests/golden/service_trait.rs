/// Moves money.
#[service]
pub trait Payments {
    /// Takes money from a card.
    async fn charge(&self, card: Card, amount: Cents) -> Result<Receipt, PaymentError>;

    #[name("give-back")]
    #[timeout("2m")]
    async fn refund(&self, receipt: Receipt) -> Result<()>;

    #[cfg(feature = "audit")]
    async fn r#match(&self) -> u32;
}
