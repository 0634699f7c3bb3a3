use infinitic::prelude::*;

#[service(nmae = "payments")]
trait Payments {
    #[retry(none)]
    fn charge(&mut self, card: &str, (cents, currency): (u64, String));
    #[timeout("soon")]
    async fn refund<T>(self, receipt: T) -> &'static str;
    async fn sound(&self);
}

// The stub exists, with what was sound.
fn call(stub: &PaymentsStub) {
    let _ = stub.sound();
}

fn main() {}
