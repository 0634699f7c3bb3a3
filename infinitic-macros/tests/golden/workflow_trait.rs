#[workflow(name = "orders")]
pub trait Orders {
    async fn start(&self, order: Order) -> Result<Receipt, OrderError>;
    #[timeout("1h30m")]
    async fn change(&self, change: Change);
}
