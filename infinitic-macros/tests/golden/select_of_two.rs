delivery = deliveries.next() => Some(delivery),
_ = timer(hours(48)) => {
    escalate().await?;
    None
}
