#[service(nam = "x")]
pub trait Payments<T> {
    fn charge(&mut self, card: &Card) -> Result<Receipt, PaymentError>;
    #[name("a/b")]
    async fn refund(&self);
    async fn sound(&self);
}
