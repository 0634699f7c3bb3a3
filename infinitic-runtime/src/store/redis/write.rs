//! Commits as calls of the script that writes them, one for each partition.

use std::collections::BTreeMap;

use ::redis::{Cmd, Value, cmd};
use bytes::Bytes;
use infinitic_core::InstanceId;

use super::{RedisStore, value};
use crate::backend::{HistoryRow, StoreError, Table};
use crate::cluster::store::{PartCommit, Written};
use crate::worker::layout;

/// A Lua function takes some thousand arguments at most.
const REMOVALS_AT_ONCE: usize = 1_000;

/// Removed history rows of an instance.
type Removal = (InstanceId, Vec<u32>);
/// The last change of each key, in its table.
type Changes<'a> = BTreeMap<Table, BTreeMap<&'a Bytes, Option<&'a Bytes>>>;

impl RedisStore {
    pub(super) async fn write_now(
        &self,
        commits: Vec<PartCommit>,
    ) -> Result<Vec<Written>, StoreError> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let calls: Vec<Cmd> = commits
            .iter()
            .map(|commit| self.call(commit))
            .collect::<Result<_, _>>()?;
        let answers = self.link.ask(calls).await?;
        self.confirm().await?;
        let written = commits.iter().zip(answers).map(|(commit, answer)| {
            let written = written(commit, answer)?;
            if matches!(written, Written::Done { .. }) {
                let mut counters = self.counters_now();
                counters.commits += 1;
                counters.add_rows_of(commit);
            }
            Ok(written)
        });
        written.collect()
    }

    /// Waits until log and replicas have what was written, if that is wanted. All calls share one
    /// connection, and the server waits for what came in on it.
    async fn confirm(&self) -> Result<(), StoreError> {
        let replicas = self.replicas;
        if replicas == 0 && !self.wait_aof {
            return Ok(());
        }
        // Shorter than the call's own limit, after which the connection would be given up.
        let patience = (self.link.timeout.as_millis() as u64) * 3 / 4;
        let (synced, have) = if self.wait_aof {
            let mut wait = cmd("WAITAOF");
            wait.arg(1).arg(replicas).arg(patience);
            let [here, there] = value::tuple(self.link.ask_one(wait).await?)?;
            (
                value::number::<u16>(here)? > 0,
                value::number::<u16>(there)?,
            )
        } else {
            let mut wait = cmd("WAIT");
            wait.arg(replicas).arg(patience);
            (true, value::number(self.link.ask_one(wait).await?)?)
        };
        if synced && have >= replicas {
            return Ok(());
        }
        let log = if synced {
            ""
        } else {
            " its log is not synced;"
        };
        Err(StoreError::Io(format!(
            "Redis at {}:{log} {have} of {replicas} replicas have the commit after {patience} ms; \
             it is repeated; bring replicas and disk back, or ask for fewer in the settings",
            self.link.address
        )))
    }

    fn call(&self, commit: &PartCommit) -> Result<Cmd, StoreError> {
        let keys = self.keys.part(&commit.part);
        let (removals, tables) = sorted(commit)?;
        let count = 2 + 2 * tables.len() + commit.history.len() + removals.len();
        let mut call = self.link.scripts.write.call(count);
        call.arg(keys.state()).arg(keys.ids());
        for table in tables.keys() {
            call.arg(keys.rows(*table)).arg(keys.row_keys(*table));
        }
        for row in &commit.history {
            call.arg(keys.history(row.id));
        }
        for (id, _) in &removals {
            call.arg(keys.history(*id));
        }
        call.arg(commit.epoch.0)
            .arg(self.token(commit))
            .arg(format!("{:020}", commit.commit.0))
            .arg(commit.history.len())
            .arg(removals.len())
            .arg(tables.len());
        for row in &commit.history {
            add_row(&mut call, row);
        }
        for (_, rows) in &removals {
            call.arg(rows.len()).arg(rows);
        }
        for changes in tables.values() {
            add_changes(&mut call, changes);
        }
        Ok(call)
    }

    /// The token of the claim under which a commit was made, if it was made through this store.
    fn token(&self, commit: &PartCommit) -> String {
        let tokens = self.tokens();
        let known = tokens.get(&commit.part);
        known
            .filter(|(epoch, _)| *epoch == commit.epoch)
            .map(|(_, token)| token.clone())
            .unwrap_or_default()
    }
}

fn sorted(commit: &PartCommit) -> Result<(Vec<Removal>, Changes<'_>), StoreError> {
    let mut rows: BTreeMap<InstanceId, Vec<u32>> = BTreeMap::new();
    let mut tables = Changes::new();
    for op in &commit.ops {
        if op.table != Table::History {
            let changes = tables.entry(op.table).or_default();
            changes.insert(&op.key, op.value.as_ref());
            continue;
        }
        match (layout::parse_history_key(&op.key), &op.value) {
            (Some((id, row)), None) => rows.entry(id).or_default().push(row),
            _ => {
                return Err(StoreError::Damaged(format!(
                    "a commit of partition {} changes a history row; history rows are appended, \
                     and removed by their key of instance and number",
                    commit.part
                )));
            }
        }
    }
    let mut removals = Vec::new();
    for (id, rows) in rows {
        let some = rows.chunks(REMOVALS_AT_ONCE);
        removals.extend(some.map(|rows| (id, rows.to_vec())));
    }
    Ok((removals, tables))
}

fn add_row(call: &mut Cmd, row: &HistoryRow) {
    let after = row.after.0;
    let before = match row.row.checked_sub(1) {
        Some(previous) => format!("{previous}.{after}"),
        None => String::new(),
    };
    let mut stored = Vec::with_capacity(8 + row.value.len());
    stored.extend_from_slice(&row.commit.0.to_be_bytes());
    stored.extend_from_slice(&row.value);
    call.arg(row.row)
        .arg(before)
        .arg(format!("{}.{}", row.row, row.commit.0))
        .arg(&after.to_be_bytes()[..])
        .arg(&stored[..]);
}

fn add_changes(call: &mut Cmd, changes: &BTreeMap<&Bytes, Option<&Bytes>>) {
    let puts = changes.values().flatten().count();
    call.arg(puts);
    for (key, value) in changes {
        if let Some(value) = value {
            call.arg(&key[..]).arg(&value[..]);
        }
    }
    call.arg(changes.len() - puts);
    for (key, value) in changes {
        if value.is_none() {
            call.arg(&key[..]);
        }
    }
}

fn written(commit: &PartCommit, answer: Value) -> Result<Written, StoreError> {
    if answer == Value::Nil {
        return Ok(Written::NotOwner);
    }
    let lost = value::list(answer)?.into_iter().map(|position| {
        let position: usize = value::number(position)?;
        let row = commit.history.get(position);
        row.map(|row| row.id)
            .ok_or_else(|| value::odd("a row of the commit", &Value::Nil))
    });
    let lost = lost.collect::<Result<_, _>>()?;
    Ok(Written::Done { lost })
}
