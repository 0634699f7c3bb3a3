#[service]
#[retry(max_attempts = 3)]
impl<B: Bank> Payments for Stripe<B> {
    #[retry(max_attempts = 5, initial = "1s", max = "1m", jitter = 0.5)]
    #[timeout("30s", grace = "5s")]
    async fn charge(&self, card: Card, amount: Cents) -> Result<Receipt, PaymentError> {
        self.bank.charge(card, amount).await
    }

    async fn refund(&self, _: Receipt) -> Result<()> {
        Ok(())
    }

    #[retry(with = Patient { limit: 3 })]
    async fn ping(&self) -> u32 {
        7
    }
}
