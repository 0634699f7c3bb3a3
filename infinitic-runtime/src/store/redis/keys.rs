//! Names of the keys.
//!
//! | Key                                    | Type       | Holds                                  |
//! |----------------------------------------|------------|----------------------------------------|
//! | `{prefix}:meta`                        | hash       | `schema`: version of this layout       |
//! | `{prefix}:parts`                       | hash       | workflow name → number of partitions   |
//! | `{prefix}:leases`                      | sorted set | member → when its lease runs out (ms)  |
//! | `{prefix}:hosts`                       | hash       | member → names it hosts, a line each   |
//! | `{prefix/workflow/number}:state`       | hash       | epoch, owners, last commit             |
//! | `{prefix/workflow/number}:ids`         | sorted set | ids of instances with a history        |
//! | `{prefix/workflow/number}:h:` id       | hash       | row number → commit (8 bytes), value   |
//! | `{prefix/workflow/number}:t:` table    | hash       | key → value of a row                   |
//! | `{prefix/workflow/number}:k:` table    | sorted set | keys of these rows                     |
//!
//! What stands in braces decides where a Redis Cluster keeps a key: all of a partition is in one
//! place, where one script can change it. Neither prefixes nor names of workflows hold a `/`, so
//! that no two systems share a key. All members of sorted sets but leases have score 0: they sort
//! by their bytes. The field `h` of a history is its *head*, `row.commit` of the last row; it is
//! there only while that is the last one.

use infinitic_core::InstanceId;

use crate::backend::Table;
use crate::cluster::store::Part;

/// Keys of a system.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn meta(&self) -> String {
        format!("{{{}}}:meta", self.prefix)
    }

    pub(super) fn parts(&self) -> String {
        format!("{{{}}}:parts", self.prefix)
    }

    pub(super) fn leases(&self) -> String {
        format!("{{{}}}:leases", self.prefix)
    }

    pub(super) fn hosts(&self) -> String {
        format!("{{{}}}:hosts", self.prefix)
    }

    pub(super) fn part(&self, part: &Part) -> PartKeys {
        PartKeys {
            tag: format!("{{{}/{part}}}", self.prefix),
        }
    }
}

/// Keys of a partition.
#[derive(Clone, Debug)]
pub(super) struct PartKeys {
    tag: String,
}

impl PartKeys {
    pub(super) fn state(&self) -> String {
        format!("{}:state", self.tag)
    }

    pub(super) fn ids(&self) -> String {
        format!("{}:ids", self.tag)
    }

    /// Scripts take the id from its last 16 bytes.
    pub(super) fn history(&self, id: InstanceId) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.tag.len() + 3 + id.as_bytes().len());
        key.extend_from_slice(self.tag.as_bytes());
        key.extend_from_slice(b":h:");
        key.extend_from_slice(id.as_bytes());
        key
    }

    pub(super) fn rows(&self, table: Table) -> String {
        format!("{}:t:{}", self.tag, table.name())
    }

    pub(super) fn row_keys(&self, table: Table) -> String {
        format!("{}:k:{}", self.tag, table.name())
    }
}
