//! How to reach a SQL database.

use std::fmt;
use std::time::Duration;

use crate::backend::StoreError;

/// Longest prefix: names of tables may have 63 bytes, and ours need some of them.
const PREFIX_BYTES_MAX: usize = 40;

/// How to reach a SQL database, and what to call the tables in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct SqlSettings {
    /// Where it is, as `postgres://user:password@host:5432/database?sslmode=require` or
    /// `mysql://user:password@host:3306/database?ssl-mode=required`. Never printed.
    pub url: String,
    /// The schema (PostgreSQL) or database (MySQL) of the tables; made when it is missing, if the
    /// user may. None for the one that the connection has by default.
    pub schema: Option<String>,
    /// What the names of the tables begin with: letters, digits and `_`.
    pub prefix: String,
    /// Connections at most.
    pub connections: u32,
    /// How long a call may take, waiting for a connection included. A call that takes longer has
    /// failed, and is repeated by the worker.
    pub timeout: Duration,
}

impl SqlSettings {
    /// Tables `infinitic_…` in the default schema, 8 connections, 10 seconds a call.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: None,
            prefix: "infinitic_".to_owned(),
            connections: 8,
            timeout: Duration::from_secs(10),
        }
    }

    /// With another prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With a schema of its own.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// With another number of connections.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// With another time that a call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks what becomes part of statements, and limits.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let refused = |text: String| Err(StoreError::Refused(text));
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.prefix.len() > PREFIX_BYTES_MAX || !self.prefix.chars().all(is_word) {
            return refused(format!(
                "`{}` cannot begin the names of tables: write up to {PREFIX_BYTES_MAX} letters, \
                 digits and `_`, like `infinitic_`",
                self.prefix
            ));
        }
        if let Some(schema) = &self.schema
            && (schema.is_empty() || schema.len() > 60 || !schema.chars().all(is_word))
        {
            return refused(format!(
                "`{schema}` is not taken as the name of a schema: write 1 to 60 letters, digits \
                 and `_`, like `infinitic`"
            ));
        }
        if self.connections == 0 || self.timeout.is_zero() {
            return refused(
                "a store needs at least one connection, and time for a call".to_owned(),
            );
        }
        Ok(())
    }

    /// The address without user and password.
    pub(crate) fn place(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let rest = rest.split_once('?').map_or(rest, |(place, _)| place);
        format!("{scheme}://{rest}")
    }
}

impl fmt::Debug for SqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSettings")
            .field("url", &self.place())
            .field("schema", &self.schema)
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let settings = SqlSettings::new("postgres://me:s3cr@t@host:1/db?password=s3cr");
        let text = format!("{settings:?}");
        assert!(
            text.contains("postgres://host:1/db") && !text.contains("s3cr"),
            "{text}"
        );
    }

    #[test]
    fn names_that_would_break_statements_are_refused() {
        let settings = SqlSettings::new("postgres://host/db");
        settings.check().unwrap();
        for prefix in ["a-b", "a\"", "ü", &"x".repeat(41)] {
            assert!(settings.clone().prefix(prefix).check().is_err(), "{prefix}");
        }
        assert!(settings.clone().schema("").check().is_err());
        assert!(settings.connections(0).check().is_err());
    }
}
