#![allow(dead_code)]

use infinitic::prelude::*;

#[derive(Clone)]
struct Mails {
    host: String,
}

#[service(name = "mails")]
#[retry(max_attempts = 2)]
#[timeout("10s")]
impl Mails {
    const PORT: u16 = 25;

    async fn connect(host: &str) -> Self {
        Self { host: host.to_owned() }
    }

    #[retry(none)]
    pub async fn send(&self, to: String) -> u16 {
        self.reach(&to).await
    }

    #[skip]
    async fn reach(&self, to: &str) -> u16 {
        Self::PORT + to.len() as u16 + self.host.len() as u16
    }

    fn grow(&mut self) {
        self.host.push('x');
    }
}

fn main() {}
