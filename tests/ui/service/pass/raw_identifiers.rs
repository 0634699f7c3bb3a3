#![allow(dead_code)]

use infinitic::prelude::*;

#[service]
trait r#Match {
    async fn r#type(&self, r#struct: String) -> u32;
}

struct Matcher;

#[service]
impl r#Match for Matcher {
    async fn r#type(&self, r#struct: String) -> u32 {
        r#struct.len() as u32
    }
}

fn call(stub: &MatchStub) {
    drop(stub.r#type(String::new()));
}

fn main() {}
