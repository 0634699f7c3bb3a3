//! Removing all that a system keeps in a server.

use ::redis::cmd;

use super::{RedisStore, value};
use crate::backend::StoreError;

/// Keys looked at in one step; the server works for others in between.
const KEYS_AT_ONCE: usize = 1_000;

impl RedisStore {
    /// Removes all keys of the prefix: histories, indexes, members. Nothing of it comes back. No
    /// worker may use them meanwhile. When it is dropped in between, some are left.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the server does not answer; it may be called again.
    pub async fn erase(&self) -> Result<(), StoreError> {
        let prefix = self.keys.prefix();
        // Both kinds of tags, but none of a longer prefix that begins like this one.
        for tag in [format!("{{{prefix}}}"), format!("{{{prefix}/")] {
            self.erase_all(&format!("{}*", literal(&tag))).await?;
        }
        Ok(())
    }

    async fn erase_all(&self, pattern: &str) -> Result<(), StoreError> {
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(pattern);
            scan.arg("COUNT").arg(KEYS_AT_ONCE);
            let [next, keys] = value::tuple(self.link.ask_one(scan).await?)?;
            let keys = value::list(keys)?.into_iter().map(value::bytes);
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            // Each for itself: a cluster has them in several places.
            let calls = keys.iter().map(|key| {
                let mut remove = cmd("UNLINK");
                remove.arg(key);
                remove
            });
            self.link.ask(calls.collect()).await?;
            cursor = value::text(next)?;
            if cursor == "0" {
                return Ok(());
            }
        }
    }
}

/// A pattern that matches a text as it stands.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
