#![allow(dead_code)]

use infinitic::prelude::*;

#[workflow(name = "orders")]
pub trait Orders {
    #[timeout("1h30m")]
    async fn start(&self, cents: u64) -> Result<u64>;
    async fn stop(&self);
}

#[workflow(version = 2)]
#[derive(Default)]
pub struct OrdersV2 {
    status: Property<u32>,
    #[property(name = "number-of-calls")]
    calls: Counter,
    r#type: infinitic::prelude::Property<String>,
    #[allow(dead_code)]
    plain: u8,
}

type Counter = Property<u64>;

#[workflow]
impl Orders for OrdersV2 {
    async fn start(&self, cents: u64) -> Result<u64> {
        self.status.set(1);
        self.calls.set(2);
        self.r#type.set(String::new());
        Ok(cents)
    }

    async fn stop(&self) {}
}

#[workflow]
#[derive(Default)]
struct Greeter;

#[workflow(name = "greeter")]
impl Greeter {
    fn new() -> Self {
        Self
    }

    async fn greet(&self, name: String) -> String {
        self.phrase(&name)
    }

    fn phrase(&self, name: &str) -> String {
        format!("hello {name}")
    }
}

#[workflow(version = 3, name = "hello")]
async fn hello(name: String) -> Result<String> {
    Ok(name)
}

fn call(client: &OrdersClient, greeter: &GreeterClient, hello: &hello) {
    drop(client.start(1));
    drop(client.stop());
    drop(greeter.greet(String::new()));
    drop(hello.hello(String::new()));
    drop(Greeter::new());
}

fn main() {}
