#[derive(Debug)]
pub enum StockError {
    #[error("none left")]
    #[fatal]
    Empty,
}
