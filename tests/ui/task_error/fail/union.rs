use infinitic::prelude::*;

#[derive(TaskError)]
union PaymentError {
    code: u32,
}

fn main() {}
