//! The input: orders as JSON lines, with each faulty line named.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use crate::order::{Order, OrderId};

/// The orders that ship with the example.
pub const SAMPLE: &str = include_str!("sample.jsonl");

/// Where orders come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Sample,
    Stdin,
    File(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample => f.write_str("the sample"),
            Self::Stdin => f.write_str("the standard input"),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// What an input holds.
#[derive(Debug, Default)]
pub struct Input {
    pub orders: Vec<Order>,
    pub faults: Vec<Fault>,
}

/// A line that is no order.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Reads all lines of a source.
pub fn read(source: &Source) -> io::Result<Input> {
    match source {
        Source::Sample => parse(SAMPLE.as_bytes()),
        Source::Stdin => parse(io::stdin().lock()),
        Source::File(path) => parse(BufReader::new(File::open(path)?)),
    }
}

/// Reads orders, one a line; empty lines are nothing.
pub fn parse(reader: impl BufRead) -> io::Result<Input> {
    let mut input = Input::default();
    let mut seen: BTreeMap<OrderId, usize> = BTreeMap::new();
    for (index, bytes) in reader.split(b'\n').enumerate() {
        let line = index + 1;
        let bytes = bytes?;
        let text = bytes.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let fault = match parse_order(text) {
            Ok(order) => match seen.get(&order.id) {
                None => {
                    seen.insert(order.id.clone(), line);
                    input.orders.push(order);
                    continue;
                }
                Some(first) => format!(
                    "order `{}` is in line {first} already; give each order an `id` of its own",
                    order.id
                ),
            },
            Err(reason) => reason,
        };
        input.faults.push(Fault {
            line,
            reason: fault,
        });
    }
    Ok(input)
}

fn parse_order(text: &[u8]) -> Result<Order, String> {
    let order: Order = serde_json::from_slice(text).map_err(|error| explain(&error))?;
    if order.id.0.is_empty() {
        return Err("`id` is empty; write the order's number".to_owned());
    }
    if order.quantity == 0 {
        return Err("`quantity` is 0; write how many are ordered, 1 or more".to_owned());
    }
    Ok(order)
}

/// The parser counts lines as well, each time from 1: only its column means anything here.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let kind = if error.is_data() {
        ""
    } else {
        "not valid JSON: "
    };
    format!("{kind}{what} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"A","customer":"c","item":"i","quantity":1,"cents":5,"card":"4"}"#;

    /// The faults of an input, one a line.
    fn faults(text: &[u8]) -> String {
        let input = parse(text).unwrap();
        let faults: Vec<_> = input.faults.iter().map(ToString::to_string).collect();
        faults.join("\n")
    }

    #[test]
    fn the_sample_has_a_thousand_orders() {
        let input = read(&Source::Sample).unwrap();
        assert_eq!((input.orders.len(), input.faults.len()), (1000, 0));
    }

    #[test]
    fn faulty_lines_are_named_and_the_others_read() {
        let text = format!("nonsense\n\n{GOOD}\r\n{{\"id\":\"B\"}}\n{GOOD}\n");
        let input = parse(text.as_bytes()).unwrap();
        assert_eq!(input.orders.len(), 1);
        assert_eq!(
            faults(text.as_bytes()),
            "line 1: not valid JSON: expected ident (column 2)\n\
             line 4: missing field `customer` (column 10)\n\
             line 5: order `A` is in line 3 already; give each order an `id` of its own"
        );
    }

    #[test]
    fn values_that_make_no_sense_are_faults() {
        let zero = GOOD.replace(":1,", ":0,");
        assert!(faults(zero.as_bytes()).contains("`quantity` is 0"));
        let negative = GOOD.replace(":1,", ":-1,");
        assert!(faults(negative.as_bytes()).contains("invalid value: integer `-1`"));
        assert!(faults(b"42").contains("invalid type: integer `42`"));
        assert!(faults(b"{\"id\":\"\xff\"}").contains("line 1: "));
        let nameless = GOOD.replace("\"A\"", "\"\"");
        assert!(faults(nameless.as_bytes()).contains("`id` is empty"));
    }

    #[test]
    fn the_last_line_may_lack_its_end() {
        assert_eq!(parse(GOOD.as_bytes()).unwrap().orders.len(), 1);
        assert_eq!(parse(&b""[..]).unwrap().orders.len(), 0);
    }
}
