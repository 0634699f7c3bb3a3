//! Statements as text: names of tables, literals, and packets of several statements.
//!
//! A round is sent as text, several statements at once, because the number of its rows is another
//! each time: prepared statements would be prepared again and again, and each would be a question
//! of its own. Whatever comes from outside is a number or a hexadecimal literal.

use std::fmt::Write as _;

use crate::store::sql::{FORGOTTEN_AFTER_MS, SqlSettings};

/// The clock of the server, in milliseconds since the epoch. Not `NOW()`, which is when the
/// statement began: a claim may have waited since for the owner's last commit.
pub(crate) const NOW: &str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";

/// Bytes of one statement of many rows, roughly.
const STATEMENT: usize = 512 << 10;

/// Names of the tables.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) database: Option<String>,
    pub(crate) prefix: String,
}

impl Names {
    pub(crate) fn new(settings: &SqlSettings) -> Self {
        Self {
            database: settings.schema.clone(),
            prefix: settings.prefix.clone(),
        }
    }

    /// A table, quoted.
    pub(crate) fn table(&self, name: &str) -> String {
        // Neither holds a quote: the settings were checked.
        match &self.database {
            Some(database) => format!("`{database}`.`{}{name}`", self.prefix),
            None => format!("`{}{name}`", self.prefix),
        }
    }

    /// Puts the names of tables in, and the clock.
    pub(crate) fn fill(&self, text: &str) -> String {
        let tables = ["meta", "workflows", "parts", "members", "history", "rows"];
        let text = text
            .replace("{now}", NOW)
            .replace("{day}", &FORGOTTEN_AFTER_MS.to_string());
        tables.iter().fold(text, |text, name| {
            text.replace(&format!("{{{name}}}"), &self.table(name))
        })
    }
}

/// Bytes as a literal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 3);
    push_hex(&mut text, bytes);
    text
}

pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push_str("X'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
}

/// Several literals, with commas between them.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let literals: Vec<String> = texts.into_iter().map(hex).collect();
    literals.join(", ")
}

/// Statements that go to the server together.
#[derive(Debug)]
pub(crate) struct Packets {
    limit: usize,
    full: Vec<String>,
    current: String,
}

impl Packets {
    /// Packets of so many bytes, unless one statement is longer.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            full: Vec::new(),
            current: String::new(),
        }
    }

    pub(crate) fn add(&mut self, statement: &str) {
        if !self.current.is_empty() && self.current.len() + statement.len() > self.limit {
            self.full.push(std::mem::take(&mut self.current));
        }
        self.current.push_str(statement);
        self.current.push(';');
    }

    /// Adds statements `{head} row, row, … {tail}`, as many as it takes, each with `then` after it.
    pub(crate) fn add_rows<T>(
        &mut self,
        [head, tail, then]: [&str; 3],
        rows: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut String, T),
    ) {
        let mut statement = String::new();
        let mut end = |statement: &mut String| {
            if !statement.is_empty() {
                statement.push_str(tail);
                self.add(statement);
                if !then.is_empty() {
                    self.add(then);
                }
                statement.clear();
            }
        };
        for row in rows {
            statement.push_str(if statement.is_empty() { head } else { "," });
            write(&mut statement, row);
            if statement.len() > STATEMENT {
                end(&mut statement);
            }
        }
        end(&mut statement);
    }

    pub(crate) fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.full.push(self.current);
        }
        self.full
    }
}

/// Appends text; writing into a text cannot fail.
pub(crate) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("a text takes what is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_statements_and_packets() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "X'00abff'");
        let mut packets = Packets::new(20);
        packets.add("BEGIN");
        let rows = [1, 2, 3];
        let write = |text: &mut String, n: i32| push(text, format_args!("({n})"));
        packets.add_rows(["IN ", "!", "COUNT"], rows, write);
        packets.add_rows(["NONE ", "", ""], [0; 0], write);
        packets.add("COMMIT");
        assert_eq!(
            packets.finish(),
            ["BEGIN;IN (1),(2),(3)!;", "COUNT;COMMIT;"]
        );
    }
}
