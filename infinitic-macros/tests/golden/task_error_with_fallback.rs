#[derive(Debug)]
pub enum PaymentError {
    #[fatal]
    Declined(String),
    #[retry(after = "10s")]
    Busy { since: u64 },
    Io(String),
    Stock(#[from] StockError),
    #[cfg(feature = "calls")]
    Call {
        #[from]
        source: Failure,
    },
}
