#![allow(dead_code)]

use infinitic::prelude::*;

async fn call(texts: &[String]) -> Result<usize, std::num::ParseIntError> {
    let mut longest = String::new();
    for text in texts {
        let found = select! {
            length = async { text.len() } => length,
            number = async { text.parse::<usize>() } => {
                number?
            }
            _ = std::future::pending::<()>() => continue,
        };
        if found > longest.len() {
            longest.clone_from(text);
        }
    }
    let (a, b) = join!(async { longest.len() }, async { 1 });
    Ok(a + b)
}

async fn refutable(values: Vec<Option<&u8>>) -> u8 {
    let mut values = values.into_iter();
    select! {
        Some(Some(&x)) = async { values.next() } => x,
        Ok(ref mut y) | Err(ref mut y) = async { Ok::<u8, u8>(2) } => *y,
        else => 0,
    }
}

async fn temporaries() -> usize {
    select! {
        x = async_len(&String::from("temporary")) => x,
        y = async_len(&format!("{}", 1)) => y,
    }
}

async fn async_len(text: &str) -> usize {
    text.len()
}

async fn nested() -> u8 {
    select! {
        x = async { select! { y = async { 1 } => y, z = async { 2 } => z } } => {
            select! { w = async { x } => w }
        }
    }
}

fn main() {}
