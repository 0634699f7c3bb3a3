#[workflow(version = 2)]
#[derive(Default)]
pub struct OrdersV2<C> {
    status: Property<Status>,
    #[property(name = "number-of-calls")]
    calls: Counter,
    #[cfg(feature = "notes")]
    r#type: infinitic::Property<String>,
    clients: C,
}

#[workflow]
impl<C: Clients> Orders for OrdersV2<C> {
    async fn start(&self, order: Order) -> Result<Receipt, OrderError> {
        self.status.set(Status::Started);
        Ok(Receipt)
    }

    async fn change(&self, change: Change) {}
}
