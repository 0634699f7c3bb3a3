//! Makes orders for the sample and for tests: always the same ones.

use std::io::{self, Write};

use crate::order::{Order, OrderId, hash};
use crate::services::{DECLINED_CARDS, QUANTITY_MAX};

const CUSTOMERS: [&str; 8] = [
    "Ada", "Blaise", "Chien", "Dorothea", "Edsger", "Fatima", "Grace", "Haskell",
];
const ITEMS: [(&str, u64); 6] = [
    ("lamp", 3_490),
    ("chair", 8_900),
    ("teapot", 2_450),
    ("rug", 12_900),
    ("clock", 5_900),
    ("mirror", 7_250),
];

/// Writes orders as JSON lines.
pub fn write(count: u64, out: &mut dyn Write) -> io::Result<()> {
    for number in 1..=count {
        serde_json::to_writer(&mut *out, &order(number))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// About one card in sixteen is declined, one order in forty asks for too much.
fn order(number: u64) -> Order {
    let draw = |salt: &str, below: usize| {
        let drawn = hash(format!("{salt} {number}").as_bytes());
        usize::try_from(drawn % below as u64).expect("smaller than `below`")
    };
    let (item, price) = ITEMS[draw("item", ITEMS.len())];
    let few = u32::try_from(draw("quantity", 5)).expect("at most 4") + 1;
    let quantity = if draw("stock", 40) == 0 {
        QUANTITY_MAX * few + 1
    } else {
        few
    };
    let last_digits = if draw("card", 16) == 0 {
        DECLINED_CARDS
    } else {
        "4242"
    };
    Order {
        id: OrderId(format!("A-{number:05}")),
        customer: CUSTOMERS[draw("customer", CUSTOMERS.len())].to_owned(),
        item: item.to_owned(),
        quantity,
        cents: price * u64::from(quantity),
        card: format!("4000-0000-0000-{last_digits}"),
    }
}
